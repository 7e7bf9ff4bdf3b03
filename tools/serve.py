"""Serve the built book on this machine."""

import functools
import http.server
import sys
from pathlib import Path

PAGES = Path(__file__).resolve().parent.parent / "_build" / "html"


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    if not (PAGES / "index.html").exists():
        sys.exit("There is no book yet: type make book")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=PAGES)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        sys.exit(f"Port {port} can't be had ({error.strerror}): make serve PORT={port + 1}")
    print(f"http://127.0.0.1:{server.server_port}, until Ctrl-C")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
