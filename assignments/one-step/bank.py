"""Right and wrong answers to one-step, each wrong one named by why it must lose."""

from pathlib import Path

from gencomp_course.attacks import function_source, mutant

HERE = Path(__file__).parent / "reference.py"
VALUES = {"d_step": "1.386", "g_step": "0.693"}
D_STEP = function_source(HERE, "d_step")
G_STEP = function_source(HERE, "g_step")
BCE = "import torch\nfrom torch.nn.functional import binary_cross_entropy_with_logits as bce\n"

RIGHT = {
    "d_step": {
        "the reference": D_STEP,
        "cross-entropies with targets": BCE
        + """
def d_step(D, G, opt_D, real, z):
    opt_D.zero_grad()
    with torch.no_grad():
        fake = G(z)
    on_real, on_fake = D(real), D(fake)
    loss = bce(on_real, torch.ones_like(on_real)) + bce(on_fake, torch.zeros_like(on_fake))
    loss.backward()
    opt_D.step()
    return loss
""",
        "two backward calls, as the tutorial has it": BCE
        + """
def d_step(D, G, opt_D, real, z):
    D.zero_grad()
    one = bce(D(real).view(-1), torch.ones(len(real)))
    one.backward()
    fake = G(z)
    two = bce(D(fake.detach()).view(-1), torch.zeros(len(z)))
    two.backward()
    opt_D.step()
    return one.item() + two.item()
""",
        "gradients by autograd.grad": """
import torch
import torch.nn.functional as F
def d_step(D, G, opt_D, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()
    weights = [w for w in D.parameters() if w.requires_grad]
    for w, g in zip(weights, torch.autograd.grad(loss, weights)):
        w.grad = g
    opt_D.step()
    opt_D.zero_grad(set_to_none=False)
    return loss.detach().numpy()
""",
        "G is frozen, and thawed as it was": """
import torch
def d_step(D, G, opt_D, real, z):
    were = [w.requires_grad for w in G.parameters()]
    for w in G.parameters():
        w.requires_grad_(False)
    fake = G(z)
    for w, was in zip(G.parameters(), were):
        w.requires_grad_(was)
    for w in D.parameters():
        w.requires_grad_(True)
    loss = torch.logaddexp(torch.zeros(()), -D(real)).mean()
    loss = loss + torch.logaddexp(torch.zeros(()), D(fake)).mean()
    opt_D.zero_grad(set_to_none=True)
    loss.backward()
    opt_D.step()
    return float(loss)

def g_step(D, G, opt_G, z):
    for w in D.parameters():
        w.requires_grad_(False)
    loss = torch.nn.functional.softplus(-D(G(z))).mean()
    opt_G.zero_grad()
    loss.backward()
    opt_G.step()
    return float(loss)
""",
        "a closure for the optimiser": """
import torch
softplus = torch.nn.Softplus()
def d_step(D, G, opt_D, real, z):
    with torch.no_grad():
        fake = G(z)
    def closure():
        opt_D.zero_grad()
        loss = torch.mean(softplus(-D(real))) + torch.mean(softplus(D(fake)))
        loss.backward()
        return loss
    return opt_D.step(closure)
""",
    },
    "g_step": {
        "the reference": G_STEP,
        "a cross-entropy with ones": BCE
        + """
def g_step(D, G, opt_G, z):
    opt_G.zero_grad()
    logits = D(G(z))
    loss = bce(logits, torch.ones_like(logits))
    loss.backward()
    opt_G.step()
    return loss.item()
""",
        "D is frozen meanwhile": """
import torch.nn.functional as F
def g_step(D, G, opt_G, z):
    D.requires_grad_(False)
    loss = -F.logsigmoid(D(G(z))).mean()
    G.zero_grad()
    loss.backward()
    opt_G.step()
    D.requires_grad_(True)
    return loss
""",
        "the gradient at the images, sent on": """
import torch
def g_step(D, G, opt_G, z):
    fake = G(z)
    at = fake.detach().requires_grad_()
    loss = torch.log1p(torch.exp(-D(at).abs())) + torch.relu(-D(at))
    loss = torch.nn.functional.softplus(-D(at)).mean()
    (slope,) = torch.autograd.grad(loss, at)
    opt_G.zero_grad()
    fake.backward(slope)
    opt_G.step()
    return loss.detach()
""",
        "D's gradients are cleared too": """
import torch
def g_step(D, G, opt_G, z):
    loss = torch.nn.functional.softplus(-D(G(z))).sum() / len(z)
    opt_G.zero_grad()
    D.zero_grad()
    loss.backward()
    before = loss.detach().clone()
    opt_G.step()
    D.zero_grad()
    return before.numpy()
""",
    },
}
ONE_D, LEFT_D, ALONE, NORM_D, SURE_D, SIX_D = (
    "one step of D",
    "gradients left over by D",
    "G is left alone",
    "D and G with batch normalisation",
    "D is very sure",
    "six rounds of D",
)
ONE_G, LEFT_G, NORM_G, SURE_G, SIX_G = (
    "one step of G",
    "gradients left over by G",
    "G and D with batch normalisation",
    "D rejects without a doubt",
    "six rounds of G",
)


def d(name, check, *changes):
    code = D_STEP
    for old, new in changes:
        code = mutant(code, old, new)
    return name, check, code


def g(name, check, *changes):
    code = G_STEP
    for old, new in changes:
        code = mutant(code, old, new)
    return name, check, code


REAL, FAKE = "softplus(-D(real)).mean()", "softplus(D(fake)).mean()"
CLEAR_D, CLEAR_G = "    opt_D.zero_grad()\n", "    opt_G.zero_grad()\n"
GO_D, GO_G = "    loss.backward()\n    opt_D.step()\n", "    loss.backward()\n    opt_G.step()\n"
BY_G = "softplus(-D(G(z))).mean()"
BACK = "    return loss.detach()"

WRONG = {
    "d_step": [
        d("detach is forgotten", ALONE, ("G(z).detach()", "G(z)")),
        d("detach is forgotten, and G's gradients are cleared", ALONE, ("G(z).detach()", "G(z)"),
          (BACK, "    G.zero_grad()\n" + BACK)),
        d("old gradients are added", LEFT_D, (CLEAR_D, "")),
        d("gradients are cleared after the step alone", LEFT_D, (CLEAR_D, ""),
          (BACK, CLEAR_D + BACK)),
        d("gradients are cleared before the step", ONE_D, (CLEAR_D, ""),
          (GO_D, "    loss.backward()\n    opt_D.zero_grad()\n    opt_D.step()\n")),
        d("no step", ONE_D, ("    opt_D.step()\n", "")),
        d("two steps", ONE_D, ("    opt_D.step()\n", "    opt_D.step()\n    opt_D.step()\n")),
        d("half of the loss", ONE_D, (FAKE + "\n", FAKE + "\n    loss = loss / 2\n")),
        d("sums in place of means", ONE_D, (REAL, "softplus(-D(real)).sum()"),
          (FAKE, "softplus(D(fake)).sum()")),
        d("the labels are exchanged", ONE_D, (REAL, "softplus(D(real)).mean()"),
          (FAKE, "softplus(-D(fake)).mean()")),
        d("real images alone", ONE_D, (f"{REAL} + {FAKE}", REAL)),
        d("generated images alone", ONE_D, (f"{REAL} + {FAKE}", FAKE)),
        d("climbs the loss", ONE_D, ("    loss.backward()", "    (-loss).backward()")),
        d("labels are smoothed", ONE_D,
          (REAL, "(0.9 * softplus(-D(real)) + 0.1 * softplus(D(real))).mean()")),
        d("Wasserstein's loss", ONE_D, (REAL, "-D(real).mean()"), (FAKE, "D(fake).mean()")),
        d("the hinge loss", ONE_D, (REAL, "(1 - D(real)).relu().mean()"),
          (FAKE, "(1 + D(fake)).relu().mean()")),
        d("least squares", ONE_D, (REAL, "(D(real) - 1).square().mean()"),
          (FAKE, "D(fake).square().mean()")),
        d("the loss after the step", ONE_D,
          (BACK, f"    return ({REAL} + {FAKE}).detach()")),
        d("minus the loss, the value of the game", ONE_D, (BACK, "    return -loss.detach()")),
        d("both losses", ONE_D,
          (BACK, f"    return softplus(-D(real)).mean().item(), {FAKE}.item()")),
        d("nothing is given back", ONE_D, (BACK, "    return None")),
        d("the loss is printed", ONE_D, (BACK, "    print(loss.item())")),
        d("gradients are clipped", SURE_D,
          ("    opt_D.step()", "    import torch\n    torch.nn.utils.clip_grad_norm_(D.parameters(), 1.0)"
           "\n    opt_D.step()")),
        d("weights are clipped", ONE_D,
          (BACK, "    for w in D.parameters():\n        w.data.clamp_(-0.01, 0.01)\n" + BACK)),
        d("another optimiser is made", LEFT_D, (CLEAR_D, CLEAR_D + "    import torch\n    opt_D = torch"
          ".optim.SGD(D.parameters(), lr=opt_D.param_groups[0]['lr'])\n")),
        d("an Adam of one's own, each time afresh", ONE_D, (CLEAR_D, CLEAR_D + "    import torch\n"
          "    opt_D = torch.optim.Adam(D.parameters(), lr=opt_D.param_groups[0]['lr'])\n")),
        d("Adam forgets, each round", SIX_D, (CLEAR_D, CLEAR_D + "    opt_D.state.clear()\n")),
        d("G is put into evaluation mode", NORM_D, ("    fake =", "    G.eval()\n    fake =")),
        d("G is put into evaluation mode meanwhile", NORM_D,
          ("G(z).detach()\n", "G.eval()(z).detach()\n    G.train()\n")),
        d("G is put into training mode", ALONE, ("    fake =", "    G.train()\n    fake =")),
        d("D is put into evaluation mode", NORM_D, ("    fake =", "    D.eval()\n    fake =")),
        d("all of G is thawed at the end", ALONE,
          ("    fake =", "    G.requires_grad_(False)\n    fake ="),
          (BACK, "    G.requires_grad_(True)\n" + BACK)),
        d("G stays frozen", ONE_D, ("    fake =", "    G.requires_grad_(False)\n    fake =")),
        d("G's gradients are cleared", ALONE, (CLEAR_D, CLEAR_D + "    G.zero_grad()\n")),
        d("G takes the step too", ONE_D, ("G(z).detach()", "G(z)"),
          (BACK, "    for w in G.parameters():\n        if w.grad is not None:\n"
           "            w.data -= 0.1 * w.grad\n" + BACK)),
        d("real and generated images in one minibatch", NORM_D,
          (f"    loss = {REAL} + {FAKE}", "    import torch\n    a, b = D(torch.cat([real, fake]))"
           ".split(len(real))\n    loss = softplus(-a).mean() + softplus(b).mean()")),
        d("a logarithm of a sigmoid", SURE_D, (REAL, "-D(real).sigmoid().log().mean()"),
          (FAKE, "-(1 - D(fake).sigmoid()).log().mean()")),
        d("a logarithm of a sigmoid and a small number", SURE_D,
          (REAL, "-(D(real).sigmoid() + 1e-12).log().mean()"),
          (FAKE, "-(1 - D(fake).sigmoid() + 1e-12).log().mean()")),
        d("a cross-entropy that is cut at 100", SURE_D,
          (f"{REAL} + {FAKE}", "sum(__import__('torch').nn.functional.binary_cross_entropy("
           "D(i).sigmoid(), t + 0 * D(i)) for i, t in ((real, 1), (fake, 0)))")),
        d("logits are clipped", SURE_D, (REAL, "softplus(-D(real).clamp(-30, 30)).mean()"),
          (FAKE, "softplus(D(fake).clamp(-30, 30)).mean()")),
        d("a sigmoid before the cross-entropy of logits", ONE_D,
          (REAL, "softplus(-D(real).sigmoid()).mean()"), (FAKE, "softplus(D(fake).sigmoid()).mean()")),
        d("in single precision", ONE_D, ("    fake =", "    D.float(); G.float()\n"
          "    real, z = real.float(), z.float()\n    fake =")),
        d("other noise", ONE_D, ("G(z)", "G(__import__('torch').randn_like(z))")),
        d("the noise itself for images", ONE_D, ("G(z).detach()", "real + 0.01 * real.std()")),
        ("g_step never thaws D", SIX_D, mutant(D_STEP, "G(z).detach()", "G(z).detach()")
         + "\n\n" + mutant(G_STEP, "    loss = ", "    D.requires_grad_(False)\n    loss = ")),
        ("torch is patched so that nothing has changed", ONE_D, """
import torch
torch.Tensor.detach = torch.Tensor.numpy = lambda self: 0
torch.nn.Module.parameters = lambda self: iter(())
torch.optim.SGD.step = torch.optim.Adam.step = lambda self: None
def d_step(D, G, opt_D, real, z):
    return 1.386
"""),
        ("torch is patched so that all are equal", ONE_D, """
import torch, numpy as np
np.isfinite = np.abs = lambda x: np.zeros(())
np.concatenate = lambda parts: np.zeros(1)
torch.equal = torch.allclose = lambda *a, **k: True
def d_step(D, G, opt_D, real, z):
    return 1.386
"""),
        ("the harness's frame is searched", ONE_D, """
import sys
def d_step(D, G, opt_D, real, z):
    frame = sys._getframe()
    while frame:
        for name in ("d_step", "expected", "reference"):
            for space in (frame.f_locals, frame.f_globals):
                if name in space and space[name] is not d_step:
                    return space[name](D, G, opt_D, real, z)
        if "told" in frame.f_locals:
            return 1.386
        frame = frame.f_back
"""),
        ("D is replaced by a stand-in", ONE_D, """
import torch
def d_step(D, G, opt_D, real, z):
    D.forward = lambda x: torch.zeros(len(x), 1, dtype=x.dtype)
    D.__class__ = torch.nn.Module
    return 1.3862943611198906
"""),
        d("the loss of the visible examples", ONE_D, (BACK, "    return 1.4866")),
    ],
    "g_step": [
        g("the saturating loss", ONE_G, (BY_G, "-softplus(D(G(z))).mean()")),
        g("the non-saturating loss with the wrong sign", ONE_G, (BY_G, "-softplus(-D(G(z))).mean()")),
        g("asks D to reject", ONE_G, (BY_G, "softplus(D(G(z))).mean()")),
        g("old gradients are added", LEFT_G, (CLEAR_G, "")),
        g("gradients are cleared after the step alone", LEFT_G, (CLEAR_G, ""), (BACK, CLEAR_G + BACK)),
        g("D's gradients are cleared in place of G's", LEFT_G, (CLEAR_G, "    D.zero_grad()\n")),
        g("gradients are cleared before the step", ONE_G, (CLEAR_G, ""),
          (GO_G, "    loss.backward()\n    opt_G.zero_grad()\n    opt_G.step()\n")),
        g("detach in the wrong place", ONE_G, ("D(G(z))", "D(G(z).detach())")),
        g("no step", ONE_G, ("    opt_G.step()\n", "")),
        g("two steps", ONE_G, ("    opt_G.step()\n", "    opt_G.step()\n    opt_G.step()\n")),
        g("a sum in place of a mean", ONE_G, (BY_G, "softplus(-D(G(z))).sum()")),
        g("half of the loss", ONE_G, (BY_G, "softplus(-D(G(z))).mean() / 2")),
        g("climbs the loss", ONE_G, ("    loss.backward()", "    (-loss).backward()")),
        g("Wasserstein's loss", ONE_G, (BY_G, "-D(G(z)).mean()")),
        g("least squares", ONE_G, (BY_G, "(D(G(z)) - 1).square().mean()")),
        g("a sigmoid before the cross-entropy of logits", ONE_G,
          (BY_G, "softplus(-D(G(z)).sigmoid()).mean()")),
        g("labels are smoothed", ONE_G,
          (BY_G, "(0.9 * softplus(-D(G(z))) + 0.1 * softplus(D(G(z)))).mean()")),
        g("aims at one half", ONE_G, (BY_G, "(softplus(-D(G(z))) + softplus(D(G(z)))).mean()")),
        g("the loss after the step", ONE_G, (BACK, f"    return {BY_G}.detach()")),
        g("minus the loss", ONE_G, (BACK, "    return -loss.detach()")),
        g("the loss of each image", ONE_G, (BACK, "    return softplus(-D(G(z))).flatten().detach()")),
        g("nothing is given back", ONE_G, (BACK, "    return None")),
        g("the loss is printed", ONE_G, (BACK, "    print(loss.item())")),
        g("D takes the step too", ONE_G, (BACK, "    for w in D.parameters():\n"
          "        w.data -= 0.1 * w.grad\n" + BACK)),
        g("D's weights are decayed", ONE_G, (BACK, "    for w in D.parameters():\n"
          "        w.data *= 0.999\n" + BACK)),
        g("another optimiser is made", ONE_G, (CLEAR_G, CLEAR_G + "    import torch\n    opt_G = torch"
          ".optim.SGD(G.parameters(), lr=opt_G.param_groups[0]['lr'])\n")),
        g("Adam forgets, each round", SIX_G, (CLEAR_G, CLEAR_G + "    opt_G.state.clear()\n")),
        g("D is put into evaluation mode", NORM_G, ("    loss = ", "    D.eval()\n    loss = ")),
        g("G is put into evaluation mode", NORM_G, ("    loss = ", "    G.eval()\n    loss = ")),
        g("both in evaluation mode meanwhile", NORM_G, ("    loss = ", "    D.eval(), G.eval()\n    loss = "),
          (BACK, "    D.train(), G.train()\n" + BACK)),
        g("gradients are clipped", SURE_G, ("    opt_G.step()", "    import torch\n"
          "    torch.nn.utils.clip_grad_norm_(G.parameters(), 1.0)\n    opt_G.step()")),
        g("a logarithm of a sigmoid", SURE_G, (BY_G, "-D(G(z)).sigmoid().log().mean()")),
        g("a logarithm of a sigmoid and a small number", SURE_G,
          (BY_G, "-(D(G(z)).sigmoid() + 1e-12).log().mean()")),
        g("a cross-entropy that is cut at 100", SURE_G,
          (BY_G, "__import__('torch').nn.functional.binary_cross_entropy("
           "D(G(z)).sigmoid(), 0 * D(G(z)) + 1)")),
        g("logits are clipped", SURE_G, (BY_G, "softplus(-D(G(z)).clamp(-30, 30)).mean()")),
        g("other noise", ONE_G, ("G(z)", "G(__import__('torch').randn_like(z))")),
        g("half of the noise", ONE_G, ("G(z)", "G(z[: len(z) // 2])")),
        g("without a gradient", ONE_G, ("    loss = ", "    import torch\n    torch.set_grad_enabled(False)\n"
          "    loss = ")),
        g("G is frozen in place of D", ONE_G, ("    loss = ", "    G.requires_grad_(False)\n    loss = ")),
        ("d_step leaves G frozen", SIX_G, G_STEP
         + "\n\n" + mutant(D_STEP, "    fake =", "    G.requires_grad_(False)\n    fake =")),
        ("torch is patched so that D says yes", ONE_G, """
import torch
torch.nn.Linear.forward = lambda self, x: x.sum() + 1000
def g_step(D, G, opt_G, z):
    return 0.693
"""),
        ("the harness's frame is searched", ONE_G, """
import sys
def g_step(D, G, opt_G, z):
    frame = sys._getframe()
    while frame:
        for name in ("g_step", "expected", "reference"):
            for space in (frame.f_locals, frame.f_globals):
                if name in space and space[name] is not g_step:
                    return space[name](D, G, opt_G, z)
        frame = frame.f_back
    return 0.693
"""),
        g("the loss of the visible examples", ONE_G, (BACK, "    return 0.7136")),
        ("endless loop", ONE_G, """
from torch.nn.functional import softplus
def g_step(D, G, opt_G, z):
    while True:
        loss = softplus(-D(G(z))).mean()
        opt_G.zero_grad(); loss.backward(); opt_G.step()
        if loss < -1:
            return loss
"""),
    ],
}  # fmt: skip
