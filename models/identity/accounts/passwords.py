"""What may be a password: long enough, not among the commonest, not what others know of its owner. Nothing else.

NIST SP 800-63B, 5.1.1.2: no rules of composition, no forced change, every character allowed, compared with a list.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from pathlib import Path

from models.identity.accounts.problems import PasswordWeak

LEAST, MOST = 10, 128
OWN = 6
"""Characters that a password must have besides a name, a phone number, or one of the commonest words."""
ROWS = ("0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "!@#$%^&*()")
LIKE_LETTERS = str.maketrans("@4301$5!7", "aaeolssit")
"""Digits and signs that stand for letters: p@ssw0rd."""


def prepared(password: str) -> str:
    """The text that is hashed: NFKC, so that every keyboard writes the same (800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


def check_password(password: str, known: tuple[str, ...] = ()) -> None:
    """Whether a password may be set. `known`: logins and names of its owner, in plain. Raises PasswordWeak."""
    text = prepared(password).lower()
    if not LEAST <= len(text) <= MOST:
        raise PasswordWeak(reason=f"密码须有 {LEAST} 至 {MOST} 个字符。")
    if repeats(text) or runs(text) * 3 <= len(text):
        raise PasswordWeak(reason="密码是重复或连续的字符，请换一个。")
    if is_common(text):
        raise PasswordWeak(reason="密码过于常见，请换一个。")
    for word in known:
        part = word.lower()
        if len(part) >= 2 and part in text and len(text.replace(part, "")) < OWN:
            raise PasswordWeak(reason="密码不能由姓名、手机号或邮箱组成。")


def repeats(text: str) -> bool:
    """Whether a text is one part over and over: aaaa…, abc123abc123."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, len(text) // 2 + 1))


def runs(text: str) -> int:
    """Into how few pieces a text falls that each are a sequence of a keyboard or alphabet, or one character's."""
    pieces, at = 0, 0
    while at < len(text):
        end = at + 1
        while end < len(text) and _is_run(text[at : end + 1]):
            end += 1
        pieces, at = pieces + 1, end
    return pieces


def _is_run(text: str) -> bool:
    return len(set(text)) == 1 or any(text in row or text[::-1] in row for row in ROWS)


def is_common(text: str) -> bool:
    """Whether a text, in small letters, is one of the commonest passwords, or one of them with a little around it."""
    for form in (text, text.translate(LIKE_LETTERS)):
        letters = re.sub(r"[\W\d_]+", "", form)
        if form in commonest() or letters in commonest():
            return True
        if any(len(word) >= 5 and word in form and len(form.replace(word, "")) < OWN for word in commonest()):
            return True
    return False


@functools.cache
def commonest() -> frozenset[str]:
    """The commonest passwords and the words that they are made of."""
    lines = Path(__file__).with_name("commonest.txt").read_text(encoding="utf-8").split()
    return frozenset(lines)
