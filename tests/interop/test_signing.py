"""Signatures, held against botocore, which signs for AWS's own command line."""

import gzip
import http.client
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import BATON, Server

ID, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1"
BODY = json.dumps({"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}).encode()


@pytest.fixture
def noted():
    """A server that notes requests and refuses them."""
    requests = []

    class Note(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            requests.append((self.path, dict(self.headers.items()), body))
            self.send_response(400)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Note)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "sign.key"
    path.touch(mode=0o600)
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def guarded(key_file):
    command = [str(BATON), "mock", "--sign", "sigv4", "--sign-key-id", ID, "--sign-key-file", str(key_file)]
    server = Server([*command, "ttft=0,gap=0,tokens=4,slots=inf"], r"http://127\.0\.0\.1:\d+", 20)
    yield server.base_url
    server.stop()


def by_botocore(url, headers, body):
    """The signature that botocore makes over the same headers at the same time."""
    request = AWSRequest(method="POST", url=url, data=body, headers=headers)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(ID, SECRET), "bedrock", REGION)
    canonical = auth.canonical_request(request)
    return auth.signature(auth.string_to_sign(request, canonical), request)


@pytest.mark.parametrize("path", ["", "/model/a%3A0/b:1", "/a//b", "/prefix/~x!y"])
@pytest.mark.parametrize("compress", ["off", "gzip"])
def test_botocore_signs_the_same_request_the_same(baton, noted, key_file, path, compress):
    base, requests = noted
    sign = ["--sign", "sigv4", "--sign-key-id", ID, "--sign-key-file", key_file, "--sign-region", REGION]
    pack = ["--compress", compress, *(["--compress-above", "1"] if compress == "gzip" else [])]
    text = "Hello " * 200
    baton("send", "--url", base + path, "--model", "m", "--attempts", "1", *sign, *pack, text)
    target, headers, body = requests[0]
    headers = {name.lower(): value for name, value in headers.items()}
    if compress == "gzip":
        assert headers["content-encoding"] == "gzip" and text.strip() in gzip.decompress(body).decode()
    _, parameters = headers["authorization"].split(" ", 1)
    said = dict(part.strip().split("=", 1) for part in parameters.split(","))
    assert said["Credential"].split("/")[2:] == [REGION, "bedrock", "aws4_request"]
    signed = {name: headers[name] for name in said["SignedHeaders"].split(";")}
    assert by_botocore(base + target, signed, body) == said["Signature"]


def post(base, headers, body, path="/v1/messages"):
    address = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("POST", path, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def signed_by_botocore(base, path="/v1/messages"):
    headers = {"content-type": "application/json"}
    request = AWSRequest(method="POST", url=base + path, data=BODY, headers=headers)
    SigV4Auth(Credentials(ID, SECRET, "session+/="), "bedrock", REGION).add_auth(request)
    return dict(request.headers.items())


def test_the_mock_takes_what_botocore_signs_once_and_nothing_else(guarded):
    headers = signed_by_botocore(guarded, "/v1/messages?b=2&a=%20x&a-b=")
    target = "/v1/messages?b=2&a=%20x&a-b="
    assert post(guarded, headers, BODY.replace(b"Hello", b"Hallo"), target) == 401
    assert post(guarded, headers, BODY, "/v1/messages") == 401
    assert post(guarded, headers, BODY, target) == 200
    assert post(guarded, headers, BODY, target) == 401
    assert post(guarded, {"content-type": "application/json"}, BODY) == 401
