"""Time a frame of the figures that run in the page: all scripts' share of it, in a browser."""

from dataclasses import dataclass
from pathlib import Path

from browser import find
from playwright.sync_api import CDPSession, Page, sync_playwright

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"
FRAMES = 100
# Moves a slider, or presses a button, and waits for what is drawn then.
ACT = """async ([figure, control, part]) => {
  const before = figure.dataset.frames;
  if (control.type === "range") {
    control.value = Number(control.min) + part * (control.max - control.min);
    control.dispatchEvent(new Event("input"));
  } else control.click();
  while (figure.dataset.frames === before) await new Promise(requestAnimationFrame);
}"""


@dataclass(frozen=True)
class Figure:
    """A figure of the built book, and what makes it draw; its networks, which come when wanted."""

    page: str
    name: str
    control: str
    model: str = ""


FIGURES = {
    "the game on the line": Figure(
        "book/adversarial/minimax-game", "game", "button:text-is('Step')"
    ),
    "the VAE": Figure("book/mnist/vae", "explorer", "input[id$=-z1]", "vae"),
    "the DCGAN, an image": Figure("book/mnist/dcgan", "generator", "input[id$=-t]", "generator"),
}


def milliseconds(tab: Page, session: CDPSession, figure: Figure) -> list[float]:
    """Time the scripts of each of some frames, by the browser's own account."""
    tab.goto((HTML / f"{figure.page}.html").as_uri())
    root = tab.locator(f".gencomp-live[data-figure={figure.name}]").first
    root.scroll_into_view_if_needed()
    control = root.locator(figure.control).first
    handles = [root.element_handle(), control.element_handle()]
    tab.evaluate(ACT, [*handles, 0.5])
    if figure.model:
        tab.wait_for_function(f"gencomp.models?.{figure.model}")

    def so_far() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(1000 * one["value"] for one in metrics if one["name"] == "ScriptDuration")

    taken = []
    for frame in range(FRAMES):
        before = so_far()
        tab.evaluate(ACT, [*handles, frame / FRAMES])
        taken.append(so_far() - before)
    return taken


def main() -> None:
    browser = find()
    if browser is None or not (HTML / "index.html").exists():
        print("Frames are timed in the built book, in a browser: make book browser")
        return
    print(f"\n| a frame of | scripts, ms: least of {FRAMES} | median |\n|---|---|---|")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        session = tab.context.new_cdp_session(tab)
        session.send("Performance.enable")
        for name, figure in FIGURES.items():
            taken = sorted(milliseconds(tab, session, figure))
            print(f"| {name} | {taken[0]:.1f} | {taken[FRAMES // 2]:.1f} |", flush=True)
        chromium.close()


if __name__ == "__main__":
    main()
