"""A provider that a trial call asks for its models."""

from http.server import BaseHTTPRequestHandler
from typing import Final

SECRET: Final = "sk-very-secret-4711"


class Provider(BaseHTTPRequestHandler):
    """Has two models for who knows the credential, and repeats a wrong one."""

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        known = given == f"Bearer {SECRET}"
        body = (
            '{"data": [{"id": "gpt-4o"}, {"id": "<b>o3"}]}'
            if known
            else f'{{"error": {{"message": "wrong key {given}"}}}}'
        )
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass
