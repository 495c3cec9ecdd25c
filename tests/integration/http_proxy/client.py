# Python's own HTTP client behind HTTP_PROXY, and a CONNECT of http.client. Prints one JSON line per answer.
import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

BODY = b"x" * 300_000


def tell(way, status, body):
    print(json.dumps({"way": way, "status": status, "body": body.decode()}), flush=True)


def ask(way, request):
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            tell(way, answer.status, answer.read())
    except urllib.error.HTTPError as refusal:
        tell(way, refusal.code, refusal.read())


ask("absolute", "http://shop/hello?a=1")
ask("absolute", urllib.request.Request("http://shop/up", data=BODY, method="PUT"))
ask("unknown", "http://nobody.example/")

proxy = urlsplit(os.environ["http_proxy"])
connection = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=20)
connection.set_tunnel("shop", 80)
for path in ["/one", "/two"]:
    connection.request("GET", path)
    answer = connection.getresponse()
    tell("connect", answer.status, answer.read())
connection.request("POST", "/up", BODY)
answer = connection.getresponse()
tell("connect", answer.status, answer.read())
connection.close()
sys.exit(0)
