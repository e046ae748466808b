"""Templates of mails: what is filled in can't become markup, a header or a recipient; mails are as the RFCs say."""

from __future__ import annotations

import email
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import strict
from pathlib import Path

import pytest

from leat.sources.email.sending.addresses import checked
from leat.sources.email.sending.compose import Composed, composed
from leat.sources.email.sending.links import Links
from leat.sources.email.sending.moments import moment_of
from leat.sources.email.sending.tokens import Token, signed, verified
from leat.sources.email.templates.files import BadTemplate, read_template, template_names
from leat.sources.email.templates.fill import Filled, fill
from leat.sources.email.templates.plain import WIDTH, plain_of

SHIPPED = Path(__file__).parents[2] / "templates"
KEY = "planted-signing-key-1234"
ACTION = "abcdefghijklmnopqrstuvwxy2"


def filled(folder: Path, body: str, **data: object) -> Filled:
    (folder / "t.html").write_text(f"---\nsubject: Hello {{{{ name }}}}\n---\n{body}", encoding="utf-8")
    return fill(read_template(folder, "t"), data)


def parsed(content: bytes) -> EmailMessage:
    """Parse a mail, refusing what no mail may have (RFC 5322, RFC 2045)."""
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)
    assert all(byte < 128 for byte in content)
    message = email.message_from_bytes(b"Date: Tue, 01 Dec 2026 09:00:00 +0000\r\n" + content, policy=strict)
    for name in ("Date", "From", "To", "Subject", "Message-ID", "MIME-Version"):
        assert len(message.get_all(name, [])) == 1, name
    assert not any(part.defects for part in message.walk())
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("name", ["ask_organizer", "notice", "receipt", "stale_branches"])
def test_each_shipped_template_becomes_a_clean_mail(name: str) -> None:
    assert name in template_names(SHIPPED)
    template = read_template(SHIPPED, name)
    for data in (template.header.example, {**template.header.example, "conflicts": [], "items": [], "name": ""}):
        content = fill(template, {"unsubscribe": "", **data})
        mail = Composed("id@x.example", Address("Shöp", addr_spec="s@x.example"), ("a@x.example",), content.subject,
                        content.text, content.html, attachments={"ü.pdf": b"%PDF" * 500})  # fmt: skip
        raw = composed(mail)
        assert raw == composed(mail)
        message = parsed(raw)
        body = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
        assert body == ["text/plain", "text/html", "application/pdf"]
        assert message["From"].addresses[0].display_name == "Shöp"
        assert max(map(len, content.text.splitlines())) <= 80
        assert "{{" not in content.html + content.text
        assert not re.search(r"https?://fonts|@import", content.html), "a mail loads nothing by itself"
        assert "prefers-color-scheme: dark" in content.html
        assert set(re.findall(r"https?://[^\"'\s<>]+", content.html)) <= {
            "http://www.w3.org/1999/xhtml",
            *re.findall(r"https?://\S+", content.text.replace("&", "&amp;")),
        }


def test_data_is_text_in_html_and_in_the_subject(tmp_path: Path) -> None:
    made = filled(tmp_path, '<p title="{{ name }}">{{ name }}</p>', name='<b>&"Ann"</b>')
    assert made.html.count("&lt;b&gt;&amp;&#34;Ann&#34;&lt;/b&gt;") == 2
    assert made.subject == 'Hello <b>&"Ann"</b>'
    assert made.text == '<b>&"Ann"</b>\n'


@pytest.mark.parametrize(
    ("body", "name", "said"),
    [
        ("x", "Ann\r\nBcc: eve@x.example", "the subject has to be one line"),
        ("x", "A" * 600, "at most 500"),
        ("{{ nobody }}", "Ann", "'nobody' is undefined"),
        ("{{ name.__class__.__mro__ }}", "Ann", "access to attribute '__class__'"),
        ("{{ name | money('EUR') }}", "Ann", r"an expression fails \(ValueError\)"),
        ("{% if %}", "Ann", "body: Expected an expression"),
        ('<a href="{{ name }}">x</a>', "javascript:alert(1)", "begins with javascript:"),
        ('<a href="{{ name }}">x</a>', "  JavaScript:alert(1)", "begins with JavaScript:, which no mail may have"),
    ],
)
def test_what_a_template_may_not_do(tmp_path: Path, body: str, name: str, said: str) -> None:
    with pytest.raises(BadTemplate, match=said):
        filled(tmp_path, body, name=name)


def test_mistakes_in_files_are_named(tmp_path: Path) -> None:
    for content, said in (
        ("<p>x</p>", "begin with a header"),
        ("---\nsubjct: x\n---\n<p>x</p>", "subject: Field required; subjct"),
        ("---\na: [\n---\n<p>x</p>", "t.mjml:2: the header is no YAML"),
        ("---\nsubject: x\n---\n<mjml><mj-body><mj-section></mj-body></mjml>", "t.mjml: "),
        ('---\nsubject: x\n---\n<mjml><mj-body><mj-include path="/etc/passwd" /></mj-body></mjml>', "t.mjml: unable"),
    ):
        (tmp_path / "t.mjml").write_text(content)
        with pytest.raises(BadTemplate, match=said):
            read_template(tmp_path, "t")
    for name in ("../t", "none", "_look"):
        with pytest.raises(BadTemplate, match="no template"):
            read_template(tmp_path, name)
    (tmp_path / "t.html").touch()
    with pytest.raises(BadTemplate, match="remove one of them"):
        read_template(tmp_path, "t")


def test_styles_of_written_html_become_attributes_and_its_text_is_derived(tmp_path: Path) -> None:
    body = (
        "<html><head><style>.a { color: red }</style></head><body><h1 class='a'>Title</h1><p>One\n two.</p>"
        "<ul><li>first</li><li>second</li></ul><table><tr><td>a</td><td>b</td></tr></table>"
        "<div style='display:none'>hidden</div><p><a href='https://x.example/?a=1&amp;b=2'>{{ name }}</a></p>"
        f"<p>{'word ' * 40}</p></body></html>"
    )
    made = filled(tmp_path, body, name="link")
    assert 'style="color: red' in made.html
    assert made.text.startswith(
        "Title\n\nOne two.\n\n- first\n- second\n\na  b\n\nlink (https://x.example/?a=1&b=2)\n\nword word"
    )
    assert max(map(len, made.text.splitlines())) <= WIDTH
    assert plain_of("") == "\n"


def test_a_token_names_an_action_and_nobody_can_make_one_up() -> None:
    token = signed(KEY, Token("click", ACTION, 12))
    assert verified(KEY, f"Re: unsubscribe {token.upper()}.") == Token("click", ACTION, 12)
    assert verified(KEY + "x", token) is None
    for changed in (token.replace("c12", "c13"), "u" + token[1:], token.replace("abc", "abd"), token[:-1], ""):
        assert verified(KEY, changed) is None


def test_bulk_mail_says_how_to_unsubscribe_at_once() -> None:
    links = Links(KEY, ACTION, "https://mail.x.example", "leave@x.example")
    mail = Composed("id@x.example", Address(addr_spec="s@x.example"), ("a@x.example",), "Hi", "Hi\n",
                    headers=links.unsubscribe_headers())  # fmt: skip
    raw = composed(mail)
    message = parsed(raw)
    token = links.token("unsubscribe")
    expected = f"<https://mail.x.example/unsubscribe/{token}>, <mailto:leave@x.example?subject=unsubscribe%20{token}>"
    assert f"List-Unsubscribe: {expected}".encode() in raw.replace(b"\r\n ", b" ")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    by_mail = Links(KEY, ACTION, None, "leave@x.example").unsubscribe_headers()
    assert list(by_mail) == ["List-Unsubscribe"]


def test_only_links_of_the_page_are_tracked_and_each_once() -> None:
    links = Links(KEY, ACTION, "https://mail.x.example", "leave@x.example")
    html = (
        '<body><a class="x" href="https://a.example/?x=1&amp;y=2">a</a><a href="https://a.example/?x=1&amp;y=2">b</a>'
        f'<a href="mailto:a@x.example">m</a><a href="{links.unsubscribe()}">u</a><img src="https://b.example/i"></body>'
    )
    page, addresses = links.tracked(html, clicks=True, opens=True)
    assert addresses == ["https://a.example/?x=1&y=2"]
    assert page.count(f'href="https://mail.x.example/c/{links.token("click")}"') == 2
    assert page.count(links.unsubscribe()) == 1
    assert page.endswith(
        f'<img src="https://mail.x.example/o/{links.token("open")}" width="1" height="1" alt=""></body>'
    )
    assert links.tracked(html, clicks=False, opens=False) == (html, [])


def test_addresses_are_checked() -> None:
    assert checked(" Ann.O'Neil+x@Bücher.example ") == "Ann.O'Neil+x@xn--bcher-kva.example"
    for wrong in ("ann", "@x.example", "a@b@x.example", "a b@x.example", "a@x", "a@-x.example", "a..b@x.example",
                  '"a"@x.example', "a@[127.0.0.1]", "a@x.example>", "a,b@x.example", "ä@x.example", "a\r\n@x.example",
                  "a" * 65 + "@x.example"):  # fmt: skip
        with pytest.raises(ValueError, match="write a mail address"):
            checked(wrong)


def test_times_are_on_the_clock_of_a_zone() -> None:
    from datetime import datetime

    at = datetime.fromisoformat
    assert moment_of(at("2026-12-01T09:00"), "Europe/Berlin") == at("2026-12-01T08:00+00:00")
    assert moment_of(at("2026-10-25T02:30"), "Europe/Berlin") == at("2026-10-25T00:30+00:00")  # the first of two
    assert moment_of(at("2026-12-01T09:00+09:00"), None) == at("2026-12-01T00:00+00:00")
    for text, zone, said in (
        ("2026-03-29T02:30", "Europe/Berlin", "the clocks there skip this time"),
        ("2026-12-01T09:00", None, "give its zone"),
        ("2026-12-01T09:00+01:00", "Europe/Berlin", "an offset already"),
    ):
        with pytest.raises(ValueError, match=said):
            moment_of(at(text), zone)
