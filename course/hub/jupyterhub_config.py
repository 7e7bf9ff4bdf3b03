"""The hub: who may come in, and how each one's server starts. `run` sets what is read here."""

import csv
import json
import os
import pwd
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LTI = Path(os.environ["LTI"])
ADDRESS = os.environ["ADDRESS"]
with (HERE / "roster.csv").open(encoding="utf-8-sig", newline="") as file:
    ROSTER = list(csv.DictReader(file))

c = get_config()  # noqa: F821
c.JupyterHub.bind_url = f"http://{ADDRESS}:{os.environ['PORT']}"
c.JupyterHub.hub_port = int(os.environ["HUB_PORT"])
c.JupyterHub.db_url = (
    f"postgresql+psycopg2:///hub?host=/var/run/postgresql&port={os.environ['DATABASE_PORT']}"
)
c.JupyterHub.cookie_secret_file = str(HERE / "cookie_secret")
c.ConfigurableHTTPProxy.command = [
    str(HERE.parent / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy")
]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['PROXY_PORT']}"
c.ConfigurableHTTPProxy.pid_file = str(HERE / "proxy.pid")

# Those of the roster and the teacher, and nobody else.
c.Authenticator.allowed_users = {os.environ["TEACHER"], *(row["student"] for row in ROSTER)}
if LTI.exists():
    told = json.loads(LTI.read_text(encoding="utf-8"))
    c.JupyterHub.authenticator_class = "ltiauthenticator.lti13.auth.LTI13Authenticator"
    c.LTI13Authenticator.issuer = told["issuer"]
    c.LTI13Authenticator.authorize_url = told["authorize_url"]
    c.LTI13Authenticator.jwks_endpoint = told["jwks_endpoint"]
    c.LTI13Authenticator.client_id = set(told["client_id"])
    c.LTI13Authenticator.username_key = "email"
    c.Authenticator.username_map = {
        told["teacher"].lower(): os.environ["TEACHER"],
        **{row["email"].lower(): row["student"] for row in ROSTER},
    }
else:
    c.JupyterHub.authenticator_class = "pam"

c.Spawner.default_url = "/lab"


def runtime(spawner: Any) -> str:
    """Name a folder for kernels' sockets, whose whole paths may have 107 characters."""
    return str(Path(pwd.getpwnam(spawner.user.name).pw_dir) / ".runtime")


# Kernels by sockets in the user's own folder: what a kernel publishes by TCP, all users can read.
c.Spawner.args = ["--KernelManager.transport=ipc"]
c.Spawner.environment = {"JUPYTER_RUNTIME_DIR": runtime}
c.Spawner.start_timeout = c.Spawner.http_timeout = 120  # the first minutes of a class are busy
