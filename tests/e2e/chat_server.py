#!/usr/bin/env python3
"""A chat server for tests, whose answers are told by the address: chat_server.py PORT_FILE LOG. Requests are written to LOG, a line each."""
import http.server
import json
import os
import sys
import time

log = open(sys.argv[2], "a", buffering=1)


def completion(text, finish="stop"):
    return json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}]})


ANSWERS = {
    "good": completion('<think>A corgi is a dog.</think>\n"a dog runs left\non the beach"\n'),
    "refused": completion("a naked woman"),
    "empty": completion(" \n"),
    "long": completion("dog " * 2000),
    "cut": completion("a dog runs", "length"),
    "thinks": completion("<think>what is"),
    "html": "<html>no</html>",
    "other": '{"choices": [{"text": 5}]}',
    "bytes": '{"choices": [{"message": {"content": "\xff\xfe"}}]}',
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        log.write("%s %s %s\n" % (self.path, self.headers.get("Authorization", "-"), body.decode()))
        kind = self.path.split("/")[1]
        if kind == "late":
            time.sleep(5)
        if kind == "huge":
            self.answer(200, b"x" * (2 << 20))
        elif kind == "elsewhere":
            self.answer(302, b"", "http://127.0.0.1:%d/good/v1/chat/completions" % self.server.server_port)
        elif kind == "broken":
            self.answer(500, b"")
        else:
            self.answer(200, ANSWERS.get(kind, ANSWERS["good"]).encode("latin-1"))

    def answer(self, status, data, location=None):
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            pass # who asked has had enough

    do_GET = do_POST

    def log_message(self, *unused):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as f:
    f.write("%d\n" % server.server_port)
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
