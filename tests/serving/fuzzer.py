"""Requests that a stranger could send: made from a service's own OpenAPI document, and then spoilt.

The same document, seed and number give the same request.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAMES = ("rows", "row", "data", "__proto__", "", "\u0000", "rows.0", "$ref")
_TEXTS = (
    "",
    " ",
    "\u0000",
    "\ud800",
    "\u202e",
    "\U0001f41f" * 50,
    "a" * 5_000,
    "NaN",
    "null",
    "{{ 7 * 7 }}",
    "'; drop table rows; --",
    "../../etc/passwd",
    "2024-02-30",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2024-01-01T00:00:00.123456789012+99:99",
)
_TIMES = ("2024-01-31", "2024-01-31T10:30:00", "1969-12-31T23:59:59Z", "2262-04-12T00:00:00+01:00")
_NUMBERS = (
    *(0, -0.0, 1, -1, 1e-320, 1e308, -1e308, 1.7976931348623157e308),
    *(2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400),
)
_LITERALS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "0x1",
    "01",
    "1_0",
    "+1",
    "1" * 6_000,
)
"""What is no JSON, or more than a number holds."""
_METHODS = (
    "GET",
    "HEAD",
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "BREW",
    "post",
    "",
)
_KINDS = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=x",
    "image/png",
    "application/json; charset=utf-16",
    "application/vnd.api+json",
    "application/json, text/html",
    "\u00e9/\u00e9",
    "",
)
_HEADERS = (
    "Host: evil.example",
    "Host:",
    "Host: localhost\r\nHost: evil.example",
    "Host: localhost, evil.example",
    "Host: [::1",
    "Expect: 100-continue",
    "Expect: a-miracle",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\nSec-WebSocket-Version: 13",
    "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA",
    "Authorization: Bearer \u00e9",
    "Cookie: " + "a=b; " * 500,
    "X-Forwarded-For: " + "1.2.3.4, " * 200,
    "Content-Encoding: gzip",
    "Range: bytes=0-0,-1",
    "No colon",
    ": no name",
    "Bad\u0000Name: x",
    "X-Folded: a\r\n b",
    "X-Long: " + "a" * 70_000,
    "\r\n".join(f"X-{number}: 1" for number in range(300)),
)
_LENGTHS = ("-1", "+5", "0x10", "1e3", "99999999999999999999", "5, 5", "5\r\nContent-Length: 6", "")


@dataclass(frozen=True)
class Case:
    """One request."""

    number: int
    what: str
    """What is wrong with it; `valid` for nothing."""
    content: bytes
    """All that is sent, head and body."""

    def __str__(self) -> str:
        return f"case {self.number} ({self.what}): {self.content[:300]!r}"


class Fuzzer:
    """Makes requests from a service's OpenAPI document."""

    def __init__(self, document: Mapping[str, Any], seed: int) -> None:
        self._document = document
        self._seed = seed
        self._paths = [
            (path, body["content"]["application/json"]["schema"])
            for path, methods in sorted(document["paths"].items())
            if (body := methods.get("post", {}).get("requestBody"))
        ]
        self._others = sorted(document["paths"])
        self._spoil: tuple[tuple[int, str, Callable[[], bytes]], ...] = (
            (15, "valid", self._valid),
            (30, "nearly valid", self._nearly_valid),
            (15, "no JSON", self._no_json),
            (5, "deep", self._deep),
            (5, "kind", self._kind),
            (5, "long", self._long),
            (5, "pieces", self._pieces),
            (5, "length", self._length),
            (5, "method", self._method),
            (5, "path", self._path),
            (5, "header", self._header),
            (3, "no HTTP", self._no_http),
        )

    def cases(self, count: int) -> Iterator[Case]:
        """So many requests."""
        weights = [weight for weight, _, _ in self._spoil]
        for number in range(count):
            self._random = random.Random(f"{self._seed}/{number}")
            ((_, what, make),) = self._random.choices(self._spoil, weights)
            yield Case(number, what, make())

    def value(self, schema: Mapping[str, Any]) -> Any:
        """A value that a schema takes."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return self.value(self._random.choice(schema["anyOf"]))
        if (examples := schema.get("examples")) and self._random.random() < 0.5:
            return self._random.choice(examples)
        return getattr(self, f"_{schema['type']}")(schema)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.value(each) for name, each in schema["properties"].items()}

    def _array(self, schema: Mapping[str, Any]) -> list[Any]:
        most = min(schema.get("maxItems", 3), 3)
        return [
            self.value(schema["items"])
            for _ in range(self._random.randint(schema.get("minItems", 0), most))
        ]

    def _number(self, _schema: Mapping[str, Any]) -> float:
        return self._random.choice(
            (self._random.uniform(-1e3, 1e3), self._random.choice((0.0, -0.0, 1e-300, 1e300)))
        )

    def _integer(self, schema: Mapping[str, Any]) -> int:
        low = schema.get("minimum", -(2**31))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 2**31) - 1)
        return self._random.choice((low, high, 0, self._random.randint(-100, 3000)))

    def _boolean(self, _schema: Mapping[str, Any]) -> bool:
        return self._random.random() < 0.5

    def _null(self, _schema: Mapping[str, Any]) -> None:
        return None

    def _string(self, schema: Mapping[str, Any]) -> str:
        if schema.get("format") == "date-time":
            return self._random.choice(_TIMES)
        return self._random.choice(("Biscoe", "", "\u00e4\u00f6", "x" * 300, "\U0001f41f", "NaN"))

    # The requests, one method for each way of being wrong.

    def _valid(self) -> bytes:
        path, schema = self._target()
        return self._post(path, _json(self.value(schema)))

    def _nearly_valid(self) -> bytes:
        path, schema = self._target()
        value = self.value(schema)
        for _ in range(self._random.choice((1, 1, 1, 2, 5))):
            value = self._spoilt(value)
        text = json.dumps(value)
        if self._random.random() < 0.2:
            # In place of some number, which `json` would not write so.
            text = text.replace(': ""', f": {self._random.choice(_LITERALS)}", 1)
            text = text.replace("0.0", self._random.choice(_LITERALS), 1)
        return self._post(path, text.encode())

    def _spoilt(self, value: Any) -> Any:
        """The same with one thing wrong, somewhere in it."""
        if isinstance(value, dict) and value and self._random.random() < 0.8:
            name = self._random.choice(list(value))
            choice = self._random.random()
            if choice < 0.15:
                return {key: each for key, each in value.items() if key != name}
            if choice < 0.3:
                return {**value, self._random.choice(_NAMES): self._anything()}
            return {**value, name: self._spoilt(value[name])}
        if isinstance(value, list) and value and self._random.random() < 0.8:
            place = self._random.randrange(len(value))
            choice = self._random.random()
            if choice < 0.1:
                return []
            if choice < 0.2:
                return value * self._random.choice((5, 50))
            return [*value[:place], self._spoilt(value[place]), *value[place + 1 :]]
        return self._anything()

    def _anything(self) -> Any:
        return self._random.choice(
            (
                self._random.choice(_TEXTS),
                self._random.choice(_TEXTS),
                self._random.choice(_NUMBERS),
                self._random.choice(_NUMBERS),
                self._random.choice((None, True, False, [], {}, [[]], [None], {"a": {"b": []}})),
            )
        )

    def _no_json(self) -> bytes:
        path, schema = self._target()
        text = _json(self.value(schema))
        place = self._random.randrange(len(text))
        noise = self._random.randbytes(self._random.randint(1, 40))
        return self._post(
            path,
            self._random.choice(
                (
                    b"",
                    text[:place],
                    text + noise,
                    text[:place] + noise + text[place:],
                    noise,
                    b"\xef\xbb\xbf" + text,
                    text.decode().encode("utf-16"),
                    b'{"rows": "\xff\xfe\xed\xa0\x80"}',
                    b'{"rows": [], "rows": [{}]}',
                    b'{"rows": ' + self._random.choice(_LITERALS).encode() + b"}",
                    b'"' + b"\\u0000" * 200 + b'"',
                    b"/* comment */ " + text,
                )
            ),
        )

    def _deep(self) -> bytes:
        path, _ = self._target()
        depth = self._random.choice((100, 1_000, 9_000))
        left, right = self._random.choice(((b"[", b"]"), (b'{"rows":', b"}"), (b'{"a":[', b"]}")))
        inner = left * depth + b"1" + right * self._random.choice((0, depth, depth + 1))
        return self._post(
            path, self._random.choice((inner, b'{"rows": [' + inner + b"]}"))[:19_000]
        )

    def _kind(self) -> bytes:
        path, schema = self._target()
        kind = self._random.choice(_KINDS)
        part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n1\r\n--x--\r\n'
        body = self._random.choice((_json(self.value(schema)), part, part[:40], b"", b"--x" * 500))
        return self._post(path, body, kind=kind)

    def _long(self) -> bytes:
        path, _ = self._target()
        size = self._random.choice((20_001, 100_000, 2_000_000))
        body = self._random.choice((b" ", b"[", b"1", b"\x00")) * size
        return self._post(path, self._random.choice((body, b'{"rows": ["' + body + b'"]}')))

    def _pieces(self) -> bytes:
        path, schema = self._target()
        body = _json(self.value(schema))
        size = self._random.choice((b"%x" % len(body), b"%x;a=b" % len(body)))
        whole = size + b"\r\n" + body + b"\r\n0\r\n\r\n"
        pieces = self._random.choice(
            (
                whole,
                b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n",
                whole[:-5],
                b"-1\r\n" + body,
                b"fffffffffffffffff\r\n" + body,
                b"zz\r\n" + body + b"\r\n0\r\n\r\n",
                b"1000\r\n" + b" " * 4096 + b"\r\n" + b"1000\r\n" + b" " * 4096 + b"\r\n" * 9,
                whole[:-2] + b"X-Trailer: 1\r\n\r\n",
            )
        )
        twice = self._random.choice(("", "", "Content-Length: 3", "Transfer-Encoding: gzip"))
        extra = ["Transfer-Encoding: chunked", *([twice] if twice else [])]
        return _head("POST", path, "Content-Type: application/json", *extra) + pieces

    def _length(self) -> bytes:
        path, schema = self._target()
        body = _json(self.value(schema))
        length = self._random.choice(
            (*_LENGTHS, str(len(body) + 7), str(max(0, len(body) - 7)), str(len(body) * 1000))
        )
        head = _head("POST", path, "Content-Type: application/json", f"Content-Length: {length}")
        return head + body

    def _method(self) -> bytes:
        path = self._random.choice((self._target()[0], *self._others))
        return _head(self._random.choice(_METHODS), path, "Content-Length: 2") + b"{}"

    def _path(self) -> bytes:
        path, schema = self._target()
        place = self._random.randrange(1, len(path))
        strange = self._random.choice(
            (
                path + "/",
                "/" + path,
                path.upper(),
                path[:place] + "%00" + path[place:],
                path[:place] + "%ff" + path[place:],
                path[:place] + "/../" + path[place:],
                path[:place] + "%2e%2e%2f" + path[place:],
                path[:place] + "\u00e9" + path[place:],
                path[:place],
                path + "?" + "a=b&" * 500,
                path + "?%00=%ff#fragment",
                "/models/" + "a" * 20_000 + "/b/predict",
                "/models/{team}/{model}/predict",
                "/models/__class__/__init__/predict",
                "http://evil.example" + path,
                "*",
                "evil.example:80",
                "/docs/../openapi.json",
                "/metrics?name[]=" + "x" * 100,
            )
        )
        body = _json(self.value(schema))
        if self._random.random() < 0.3:
            return _head("GET", strange)
        return self._post(strange, body)

    def _header(self) -> bytes:
        path, schema = self._target()
        body = _json(self.value(schema))
        chosen = self._random.choice(_HEADERS)
        lines = ["Content-Type: application/json", f"Content-Length: {len(body)}", chosen]
        return _head("POST", path, *lines, host=not chosen.startswith("Host")) + body

    def _no_http(self) -> bytes:
        path, _ = self._target()
        return self._random.choice(
            (
                self._random.randbytes(self._random.randint(1, 500)),
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self._random.randbytes(200),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                f"POST {path}\r\n\r\n".encode(),
                f"POST {path} HTTP/9.9\r\nHost: localhost\r\n\r\n".encode(),
                f"POST {path} HTTP/1.1\nHost: localhost\n\n".encode(),
                b"GET / HTTP/1.1\r\n" * 50,
                b"\r\n" * 2_000,
                b"GET /" + b"a" * 200_000,
            )
        )

    def _target(self) -> tuple[str, Mapping[str, Any]]:
        return self._random.choice(self._paths)

    def _post(self, path: str, body: bytes, kind: str = "application/json") -> bytes:
        head = _head("POST", path, f"Content-Type: {kind}", f"Content-Length: {len(body)}")
        return head + body


def _head(method: str, path: str, *lines: str, host: bool = True) -> bytes:
    head = [f"{method} {path} HTTP/1.1", *(["Host: localhost"] if host else []), *lines]
    return ("\r\n".join([*head, "Connection: close"]) + "\r\n\r\n").encode("utf-8")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
