"""A department's hub, for real: set up, two students logged in, an assignment there and back.

GENCOMP_HUB=1 .venv/bin/pytest tests/test_hub.py, as root on Debian 12 or 13. It makes users
(hubtest-…), a cluster of PostgreSQL and processes, and takes all of it away again. Tests go on
where the one before has ended. GENCOMP_HUB_ENVIRONMENT names a folder where the hub's Python stays.
"""

import csv
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import nbformat
import psutil
import pytest
import requests
from bs4 import BeautifulSoup
from conftest import ROOT, run

from gencomp_course import assignment

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
ANN, BEN, TEACHER = "hubtest-ann", "hubtest-ben", "hubtest-teacher"
NAME = "two-samples"
WORDS = 'Between the bins, 0.19 nats.<script>alert("words")</script><img src=x onerror=alert(1)>'
CLUSTER = "hubtest"
FORBIDDEN = (401, 403, 404)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [made.getsockname()[1] for made in sockets]
    for made in sockets:
        made.close()
    return ports


def until(condition, seconds: float, what: str):
    """Wait for a condition's value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.5)
    return value


class Hub:
    """Where all of it is, and what is done there as whom."""

    def __init__(self, folder: Path):
        self.folder, self.homes = folder, folder / "home"
        self.port, hub, proxy, self.database, self.lms = free_ports(5)
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = Path(os.environ.get("GENCOMP_HUB_ENVIRONMENT", folder / "env"))
        self.seconds: dict[str, float] = {}
        self.homes.mkdir()
        (folder / "roster.csv").write_text(
            f"student,name,email\n{ANN},Ann,ann@example.edu\n{BEN},Ben,Ben@example.edu\n"
        )
        (folder / "settings").write_text(
            f"HUB={folder}\nENVIRONMENT={self.env}\nHOMES={self.homes}\nTEACHER={TEACHER}\n"
            f"ROSTER={folder}/roster.csv\nLTI={folder}/lti.json\nADDRESS=127.0.0.1\n"
            f"PORT={self.port}\nHUB_PORT={hub}\nPROXY_PORT={proxy}\n"
            f"DATABASE={CLUSTER}\nDATABASE_PORT={self.database}\n"
        )

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[what] = time.monotonic() - start

    def login_by_platform(self) -> None:
        lms = f"http://127.0.0.1:{self.lms}"
        told = {
            "issuer": lms, "authorize_url": f"{lms}/authorize", "jwks_endpoint": f"{lms}/keys",
            "client_id": ["the hub"], "teacher": "Teacher@example.edu",
        }  # fmt: skip
        (self.folder / "lti.json").write_text(json.dumps(told))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the hub; the proxy answers before it does."""
        with (self.folder / "hub.log").open("a") as log:
            process = subprocess.Popen(
                [self.folder / "etc" / "run"], stdout=log, stderr=log, start_new_session=True
            )
            try:
                api = f"{self.url}/hub/api/"

                def up() -> bool:
                    assert process.poll() is None, (self.folder / "hub.log").read_text()[-4000:]
                    try:
                        return requests.get(api, timeout=5).ok
                    except requests.ConnectionError:
                        return False

                with self.timed("the hub starts"):
                    until(up, 60, "the hub")
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def as_user(self, user: str, *command: object, check=False) -> subprocess.CompletedProcess[str]:
        """Run a command as a user, as in the terminal of their server."""
        home = self.homes / user
        done = subprocess.run(
            ["/usr/sbin/runuser", "-u", user, "--", *map(str, command)], check=False, text=True,
            cwd=home / "course" if user == TEACHER else home,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"HOME": str(home), "PATH": f"{self.env}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}:\n{done.stdout}"
        return done

    def teacher(self, what: str, command: str) -> str:
        with self.timed(what):
            return self.as_user(TEACHER, "bash", "-c", command, check=True).stdout


class Person:
    """A browser's session."""

    def __init__(self, hub: Hub, user: str):
        self.hub, self.user, self.session = hub, user, requests.Session()
        self.base = f"{hub.url}/user/{user}/"

    def launch(self, hint: str) -> tuple[str, dict[str, str]]:
        """Follow the platform's link as far as its form; return where that goes, with what."""
        begin = {
            "iss": f"http://127.0.0.1:{self.hub.lms}", "login_hint": hint, "client_id": "the hub",
            "target_link_uri": f"{self.hub.url}/hub",
        }  # fmt: skip
        page = self.session.get(f"{self.hub.url}/hub/lti13/oauth_login", params=begin)
        form = BeautifulSoup(page.text, "html.parser").form
        return form["action"], {field["name"]: field["value"] for field in form("input")}

    def come_in(self, hint: str) -> requests.Response:
        action, fields = self.launch(hint)
        return self.session.post(action, data=fields)

    def server(self) -> None:
        """Start one's server, and wait for its page."""

        def page() -> bool:
            got = self.session.get(f"{self.base}lab")
            return got.ok and "jupyter-config-data" in got.text

        self.session.get(f"{self.hub.url}/hub/spawn", headers={"Sec-Fetch-Mode": "navigate"})
        until(page, 120, f"the server of {self.user}")

    def ask(self, path: str, method="GET", **more) -> requests.Response:
        """Ask one's server for something."""
        cookies = {c.path: c.value for c in self.session.cookies if c.name == "_xsrf"}
        header = {"X-XSRFToken": cookies.get(f"/user/{self.user}/", "")}
        return self.session.request(method, urljoin(self.base, path), headers=header, **more)

    def assignments(self, action: str) -> list[dict]:
        """Press a button of the assignment list."""
        asked = {"course_id": "gencomp", "assignment_id": NAME}
        told = self.ask(f"assignments/{action}", "POST", data=asked)
        told.raise_for_status()
        assert told.json()["success"], told.text
        return told.json()["value"]

    def notebook(self, **content) -> dict:
        """Read one's notebook, or write it."""
        if content:
            told = self.ask(f"api/contents/{NAME}/{NAME}.ipynb", "PUT", json=content)
        else:
            told = self.ask(f"api/contents/{NAME}/{NAME}.ipynb")
        told.raise_for_status()
        return told.json()


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    folder = Path(tempfile.mkdtemp(prefix="hubtest-"))
    folder.chmod(0o755)
    hub = Hub(folder)
    lms = None
    try:
        with hub.timed("set-up"):
            run([ROOT / "course" / "hub" / "setup", folder / "settings"], ROOT)
        for user in (ANN, BEN, TEACHER):
            run(["chpasswd"], ROOT, input=f"{user}:the word of {user}")
        lms = subprocess.Popen(
            [hub.env / "bin" / "python", ROOT / "tests" / "stand_in_lms.py", str(hub.lms)]
        )
        yield hub
    finally:
        if lms:
            lms.terminate()
            lms.wait()
        theirs = [
            p
            for p in psutil.process_iter(["username"])
            if p.info["username"] in (ANN, BEN, TEACHER)
        ]
        _, left = psutil.wait_procs(theirs, timeout=20)  # some are on their way out
        for process in left:
            process.kill()
        version = max((p.name for p in Path("/usr/lib/postgresql").iterdir()), key=int)
        subprocess.run(["pg_dropcluster", "--stop", version, CLUSTER], check=False)
        for user in (ANN, BEN, TEACHER):
            subprocess.run(["userdel", "--remove", user], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder)
    assert not left, f"still running: {left}"
    listed = run(["pg_lsclusters", "-h"], ROOT)
    assert CLUSTER not in listed
    assert not [u for u in pwd.getpwall() if u.pw_name.startswith("hubtest-")]


def test_people_log_in_by_their_passwords_where_there_is_no_platform(hub):
    with hub.running():
        ann = Person(hub, ANN)

        def log_in(word: str) -> requests.Response:
            page = ann.session.get(f"{hub.url}/hub/login").text
            token = BeautifulSoup(page, "html.parser").find("input", {"name": "_xsrf"})["value"]
            given = {"username": ANN, "password": word, "_xsrf": token}
            return ann.session.post(f"{hub.url}/hub/login", data=given, allow_redirects=False)

        assert log_in("another word").status_code == 403
        assert log_in(f"the word of {ANN}").status_code == 302


@pytest.fixture(scope="module")
def people(hub) -> Iterator[dict[str, Person]]:
    """Log two students and their teacher in through the platform."""
    hub.login_by_platform()
    with hub.running():
        people = {user: Person(hub, user) for user in (ANN, BEN, TEACHER)}
        for user, person in people.items():
            with hub.timed(f"login of {user}"):
                person.come_in(f" {user.removeprefix('hubtest-')}@example.edu").raise_for_status()
            with hub.timed(f"server of {user}"):
                person.server()
        yield people


def test_the_platforms_word_is_checked(hub, people):
    for hint, status in (
        ("forged ann@example.edu", 400),
        ("elsewhere ann@example.edu", 401),
        (" stranger@example.edu", 403),
    ):
        assert Person(hub, ANN).come_in(hint).status_code == status, hint
    thief = Person(hub, ANN)
    action, fields = Person(hub, ANN).launch(" ann@example.edu")
    assert thief.session.post(action, data=fields).status_code == 400
    for user, person in people.items():
        assert person.ask("api/me").json()["identity"]["username"] == user


def functions() -> dict[str, str]:
    """Right answers to the assignment."""
    right = assignment.load_bank(NAME).RIGHT
    return {name: next(iter(answers.values())) for name, answers in right.items()}


def fill_in(person: Person, answers: dict[str, str]) -> None:
    """Write answers into one's notebook, and save it."""
    told = person.notebook()
    for cell in told["content"]["cells"]:
        key = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if key in answers:
            cell["source"] = answers[key]
        elif key.startswith("answer-"):
            cell["source"] = WORDS
    shown = nbformat.v4.new_output(
        "display_data", {"text/html": "<b>seen</b><script>alert(2)</script>"}
    )
    told["content"]["cells"].append(nbformat.v4.new_code_cell("show()", outputs=[shown]))
    person.notebook(type="notebook", content=told["content"])


def spying(hub: Hub) -> str:
    """Make an answer that looks around in the teacher's files and gradebook while it is graded."""
    course = hub.homes / TEACHER / "course"
    return f"""
def jsd_counts(a, b):
    import socket
    told = []
    for path in ({str(course / "secret")!r}, {str(course / "assignments" / NAME / "checks.py")!r}):
        try:
            told.append(open(path).read(20))
        except Exception as error:
            told.append(type(error).__name__)
    try:
        socket.socket(socket.AF_UNIX).connect("/var/run/postgresql/.s.PGSQL.{hub.database}")
        told.append("connected")
    except Exception as error:
        told.append(type(error).__name__)
    raise ValueError(" ".join(told))
"""


def test_an_assignment_goes_out_and_comes_in(hub, people):
    hub.teacher("release", (
        f"gencomp-course release {NAME} source/{NAME} --nbgrader"
        f" && nbgrader generate_assignment {NAME} && nbgrader release_assignment {NAME}"
    ))  # fmt: skip
    for user, answers in (
        (ANN, functions()),
        (BEN, functions() | {"jsd_counts": spying(hub)}),
    ):
        with hub.timed(f"fetch and submit of {user}"):
            people[user].assignments("fetch")
            cells = people[user].notebook()["content"]["cells"]
            stub = next(c["source"] for c in cells if "def jsd_counts" in c["source"])
            assert "Jensen-Shannon divergence" in stub, "nbgrader has cleared the cell"
            fill_in(people[user], answers)
            people[user].assignments("submit")
    told = hub.teacher("collect", f"nbgrader collect {NAME}")
    assert "cheating attempt" not in told


def test_scores_come_into_nbgraders_gradebook(hub, people):
    told = hub.teacher("grade", f"gencomp-course grade {NAME} submitted")
    points = {ANN: 60, BEN: 26}
    for user, expected in points.items():
        assert re.search(rf"{user} +provisional +{expected} ", told), told
    results = (hub.homes / TEACHER / "course" / "grades" / NAME / "results").glob("*ben*.json")
    (why,) = {c["why"] for c in json.loads(next(results).read_text())["checks"] if c["why"]}
    assert why == "it raised ValueError: PermissionError PermissionError PermissionError"
    hub.teacher("autograde", f"nbgrader autograde {NAME}")
    hub.teacher("export", f"gencomp-course export {NAME} --to nbgrader --provisional")
    rows = people[TEACHER].ask(f"formgrader/api/submissions/{NAME}").json()
    told = {s["student"]: [s["code_score"], s["max_code_score"], s["max_score"]] for s in rows}
    assert told == {user: [expected, 60, 100] for user, expected in points.items()}


def submitted(teacher: Person, user: str) -> str:
    """Find a student's notebook in the formgrader."""
    path = f"formgrader/api/submitted_notebooks/{NAME}/{NAME}"
    return next(s["id"] for s in teacher.ask(path).json() if s["student"] == user)


def test_words_are_read_in_the_formgrader_and_stay(hub, people):
    teacher = people[TEACHER]
    for user in (ANN, BEN):
        key = submitted(teacher, user)
        page = teacher.ask(f"formgrader/submissions/{key}")
        assert page.ok
        assert "Between the bins" in page.text
        assert "<b>seen</b>" in page.text
        body = page.text.partition('id="notebook-container"')[2]
        assert "alert(" in body
        assert "<script>alert" not in body, "a student's script would run as the teacher"
        assert "<img src=x" not in body
        grades = teacher.ask("formgrader/api/grades", params={"submission_id": key}).json()
        for grade in grades:
            if grade["name"].startswith("answer-"):
                given = {"manual_score": 7.5, "extra_credit": None}
                assert teacher.ask(f"formgrader/api/grade/{grade['id']}", "PUT", json=given).ok
    hub.teacher("export again", f"gencomp-course export {NAME} --to nbgrader --provisional")
    hub.teacher("nbgrader's table", "nbgrader export --to marks.csv")
    marks = hub.homes / TEACHER / "course" / "marks.csv"
    rows = csv.DictReader(marks.read_text(encoding="utf-8").splitlines())
    assert {row["student_id"]: float(row["score"]) for row in rows} == {ANN: 90, BEN: 56}


def test_marks_are_handed_back(hub, people):
    hub.teacher(
        "feedback", f"nbgrader generate_feedback {NAME} && nbgrader release_feedback {NAME}"
    )
    for user, mine, hint in ((ANN, 90, False), (BEN, 56, True)):
        with hub.timed(f"feedback of {user}"):
            people[user].assignments("fetch_feedback")
        (page,) = (hub.homes / user / NAME / "feedback").rglob("*.html")
        told = page.read_text(encoding="utf-8")
        assert re.search(rf"Score: {mine}\.0 / 100\.0", told)
        assert ("Shares first" in told) is hint
        assert "<script>alert" not in told


def test_a_student_can_read_neither_anothers_work_nor_the_source_nor_the_gradebook(hub, people):
    home, course = hub.homes / ANN, hub.homes / TEACHER / "course"
    exchange = hub.folder / "exchange" / "gencomp"
    server = next(p.pid for p in psutil.process_iter(["username"]) if p.info["username"] == ANN)
    by_socket = ["psql", "-h", "/var/run/postgresql", "-p", hub.database]
    select = ["-c", "select * from grade"]
    attempts = [
        (ANN, ["cat", home / NAME / f"{NAME}.ipynb"]),
        (ANN, ["ls", home]),
        (ANN, ["cat", f"/proc/{server}/environ"]),
        (TEACHER, ["cat", course / "source" / NAME / f"{NAME}.ipynb"]),
        (TEACHER, ["cat", course / "assignments" / NAME / "reference.py"]),
        (TEACHER, ["cat", course / "secret"]),
        (TEACHER, ["cat", course / "submitted" / ANN / NAME / f"{NAME}.ipynb"]),
        (TEACHER, ["ls", exchange / "inbound"]),
        (TEACHER, ["ls", exchange / "feedback"]),
        (TEACHER, [*by_socket, "-d", "gradebook", "-U", TEACHER, *select]),
    ]
    for owner, command in attempts:
        assert hub.as_user(owner, *command).returncode == 0, f"{owner} can't either: {command}"
        tried = hub.as_user(BEN, *command)
        assert tried.returncode != 0, f"{command} told {tried.stdout[:200]}"
    by_tcp = ["psql", "-h", "127.0.0.1", "-p", hub.database, "-w"]
    for command in (
        [*by_socket, "-d", "gradebook", *select],
        [*by_tcp, "-d", "gradebook", "-U", TEACHER, *select],
        [*by_tcp, "-d", "gradebook", "-U", "postgres", *select],
        [*by_socket, "-d", "hub", "-U", "root", "-c", "select * from users"],
        ["ls", hub.folder / "postgresql"],
        ["cat", hub.folder / "etc" / "roster.csv"],
        ["cat", hub.folder / "etc" / "cookie_secret"],
    ):
        tried = hub.as_user(BEN, *command)
        assert tried.returncode != 0, f"{command} told {tried.stdout[:200]}"
    for path in (
        f"/user/{ANN}/api/contents/{NAME}/{NAME}.ipynb",
        f"/user/{TEACHER}/api/contents/source",
        f"/user/{TEACHER}/formgrader",
        f"/user/{BEN}/formgrader",
    ):
        assert people[BEN].ask(path).status_code in FORBIDDEN, path


def test_a_student_cannot_listen_to_anothers_kernel_or_server(hub, people):
    assert people[ANN].ask("api/kernels", "POST", json={"name": "python3"}).status_code == 201
    runtime = hub.homes / ANN / ".runtime"
    (told,) = (json.loads(path.read_text()) for path in runtime.glob("kernel-*.json"))
    assert told["transport"] == "ipc"
    assert hub.as_user(ANN, "ls", runtime).returncode == 0
    assert hub.as_user(BEN, "ls", runtime).returncode != 0
    (server,) = (json.loads(path.read_text()) for path in runtime.glob("jpserver-*.json"))
    address = f"http://127.0.0.1:{server['port']}/user/{ANN}/api/contents"
    fetch = hub.as_user(BEN, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", address)
    assert int(fetch.stdout) in FORBIDDEN


def test_a_submission_in_anothers_name_is_noticed(hub, people):
    inbound = hub.folder / "exchange" / "gencomp" / "inbound"
    forged = inbound / f"{ANN}+{NAME}+2099-01-01 00:00:00 UTC+AAAA"
    hub.as_user(BEN, "mkdir", forged, check=True)
    hub.as_user(BEN, "cp", "-r", f"{hub.homes / BEN / NAME}/.", forged, check=True)
    hub.as_user(BEN, "chmod", "-R", "a+rX", forged, check=True)
    (forged / "timestamp.txt").write_text("2099-01-01 00:00:00 UTC")
    told = hub.as_user(TEACHER, "nbgrader", "collect", NAME, "--update").stdout
    assert "cheating attempt" in told


def test_memory_and_seconds_are_told(hub, people, capsys):
    groups = {"the hub": 0, "the proxy": 0, "PostgreSQL": 0, f"server of {ANN}": 0}
    for process in psutil.process_iter(["username", "cmdline", "memory_full_info"]):
        command, size = " ".join(process.info["cmdline"] or []), process.info["memory_full_info"]
        if "ipykernel" in command:
            continue
        if "jupyterhub --config" in command:
            groups["the hub"] += size.pss
        elif "configurable-http-proxy" in command and str(hub.folder) in command:
            groups["the proxy"] += size.pss
        elif process.info["username"] == ANN:
            groups[f"server of {ANN}"] += size.pss
        elif process.info["username"] == "postgres":
            groups["PostgreSQL"] += size.pss
    with capsys.disabled():
        print()
        for what, seconds in hub.seconds.items():
            print(f"{seconds:6.1f} s  {what}")
        print(f"{sum(hub.seconds.values()):6.1f} s  in all")
        for what, size in groups.items():
            print(f"{size / 1e6:6.0f} MB  {what}")
    assert all(0 < size < 5e8 for size in groups.values())
