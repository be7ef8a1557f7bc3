"""The e-mails of the local mailbox, in the browser. Only development has these pages."""

import email
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader

from app.core.config import ROOT

MAILS = ROOT / ".local" / "mail"
# Nothing of an e-mail may run here.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-top-navigation-by-user-activation"
HEADERS = {"Content-Security-Policy": POLICY}

_pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)

router = APIRouter(prefix="/dev/mail", include_in_schema=False, default_response_class=HTMLResponse)


@router.get("")
def list_mails() -> HTMLResponse:
    """Shows the newest e-mails."""
    newest = sorted(MAILS.glob("*.eml"), reverse=True)[:50]
    page = _pages.get_template("preview.j2").render(mails=[(file.stem, _read(file)) for file in newest])
    return HTMLResponse(page, headers=HEADERS)


@router.get("/{name}")
def show_mail(name: str) -> HTMLResponse:
    """Shows the HTML of one e-mail."""
    file = next((file for file in MAILS.glob("*.eml") if file.stem == name), None)
    body = _read(file).get_body(("html",)) if file is not None else None
    if body is None:
        raise HTTPException(404)
    return HTMLResponse(body.get_content(), headers=HEADERS)


def _read(file: Path) -> EmailMessage:
    return email.message_from_bytes(file.read_bytes(), policy=default)
