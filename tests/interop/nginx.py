"""nginx as a reverse proxy in front of the embedded relay, with a configuration of the suite's own."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

# Debian installs it where only root looks.
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or "nginx"

# Everything that nginx writes stays in the folder; one worker, so that its upstream connections are one pool.
CONFIG = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log {folder}/access.log combined;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream relay {{
    server {upstream};
    {upstream_more}
  }}
  server {{
    listen 127.0.0.1:{port}{listen_more};
    {server_more}
    location / {{
      proxy_pass http://relay;
      {location_more}
    }}
  }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(process, port, patience=20):
    """Waits until something accepts connections; false if the process has ended or time is up."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.01)
    return False


class Nginx:
    """A running nginx, stopped by its handle."""

    def __init__(self, folder, upstream, **more):
        self.folder, self.process = folder, None
        self.parts = {"upstream_more": "", "listen_more": "", "server_more": "", "location_more": "", **more}
        self.parts["upstream"] = upstream.removeprefix("http://")
        # nginx cannot choose a port itself, and a port that was free may be taken by the time it asks for it.
        for _ in range(5):
            self.port = free_port()
            if self.start():
                return
        raise RuntimeError("nginx did not start:\n" + (folder / "error.log").read_text())

    def url(self, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}"

    def start(self):
        """Starts it on its port; false if that is taken."""
        config = self.folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=self.folder, port=self.port, **self.parts))
        command = [NGINX, "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(config)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if listens(self.process, self.port):
            return True
        self.stop()
        return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def stats(mock):
    """The embedded relay's own counters."""
    with urllib.request.urlopen(f"{mock.base_url}/__mock/stats", timeout=10) as reply:
        return json.load(reply)
