"""What a text can be found by: keys of 32 bits, held in a column `grams int4[]` under a GIN index.

PostgreSQL's trigrams know nothing of Chinese words, most of which have two characters, and a dictionary misses names.
So the keys are pairs of neighbouring characters: a row is found by 陪诊 if it has the key of 陪 and 诊 side by side.
A longer word is found by all its pairs (they could stand apart: one row in some hundreds, for four characters). The
same column holds the pinyin of what was written, its initials, and keys to narrow by. Spaces of keys never meet, since
the upper half of a pair of characters is never what begins another space:

    0000 cccc        one character
    hhhh llll        two neighbouring ones, in UTF-16: hhhh is no control (below 0020), and of no private use
    Exxx xxxx        a place or category to narrow by: 28 bits of its code's CRC-32; the condition itself stands beside
    F000 aabb        the initials of two neighbouring characters: pz of 陪诊
    F100 aabb        the first two letters of a character's pinyin
    F2xx xxxx        three neighbouring letters of the pinyin, 7 bits each: across characters, in each reading

Letters and digits that were written stand in the pinyin as they are. Text is compared as NFKC, lower case, simplified;
what is neither letter, digit nor symbol parts it, and no key reaches over such a place.
"""

from __future__ import annotations

import functools
import itertools
import mmap
import unicodedata
import zlib
from collections.abc import Iterable, Iterator

from models.pinyin import mapped, readings
from models.problems import InvalidInput

NARROW, INITIALS, OPENING, LETTERS = 0xE000_0000, 0xF000_0000, 0xF100_0000, 0xF200_0000
NEVER = NARROW - (1 << 32)
"""A key that nothing has: of a space that holds CRCs, the one that `narrowing` never gives."""
LONGEST = 50
"""Characters that may be looked for at once."""
WORDS = 8
"""Words, parted by a space or a sign, that may be looked for at once."""
WAYS = 4
"""In at most so many ways the words are read: as they stand, as pinyin, as initials."""
VOWELS = frozenset("aeiouv")
Word = str
Way = tuple[int, ...]
"""Keys that a row must all have."""


@functools.cache
def _traditional() -> tuple[mmap.mmap, int, int]:
    """Pairs of `"陪診": "陪诊"` in zhconv's file, from where to where: to import the package and read all would take 12 MB."""
    file = mapped("zhconv", "zhcdict.json")
    begin = file.find(b"{", file.find(b'"zh2Hans"'))
    return file, begin, file.find(b"}", begin)


def _simplified(letter: str) -> str:
    """A traditional character's simplified one: characters, not phrases, so that positions stay what they are."""
    if letter <= "\x7f":
        return letter
    file, begin, end = _traditional()
    key = f'"{letter}":'.encode(errors="surrogatepass")
    at = file.find(key, begin, end)
    if at < 0:
        return letter
    at = file.find(b'"', at + len(key)) + 1
    found = file[at : file.find(b'"', at)].decode()
    return found if len(found) == 1 else letter


@functools.lru_cache(maxsize=20_000)
def plain(character: str) -> str:
    """How one character is compared: "" for what is skipped (joiners, variants, marks), " " for what parts words."""
    out = ""
    for letter in unicodedata.normalize("NFKC", character).lower():
        kind = unicodedata.category(letter)
        if kind in ("Cf", "Mn", "Me"):
            continue
        out += _simplified(letter) if kind[0] in "LNS" or kind == "Mc" else " "
    return out


def words(text: str) -> list[Word]:
    """A text's parts between signs and spaces, as they are compared."""
    return "".join(map(plain, text)).split()


def _units(word: Word) -> list[int]:
    """A word's code units of UTF-16."""
    raw = word.encode("utf-16-be", "surrogatepass")
    return [raw[i] << 8 | raw[i + 1] for i in range(0, len(raw), 2)]


def _signed(key: int) -> int:
    return key - (1 << 32) if key >= 1 << 31 else key


def _pairs(word: Word) -> Iterator[int]:
    """The keys of a word's pairs; of one character, its own."""
    units = _units(word)
    if len(units) == 1:
        yield units[0]
    for one, other in itertools.pairwise(units):
        yield one << 16 | other


def _singles(word: Word) -> Iterator[int]:
    return (unit for unit in _units(word) if not 0xD800 <= unit < 0xE000)


@functools.lru_cache(maxsize=20_000)
def _said(character: str) -> tuple[str, ...]:
    """How a character is said, in each reading; letters and digits say themselves; () for a sign."""
    if character.isascii():
        return (character,) if character.isalnum() else ()
    return readings(character)


def _spoken(word: Word) -> set[int]:
    """The keys of a word's pinyin: in each reading of each character."""
    out: set[int] = set()
    before: tuple[str, ...] = ()
    carried = {""}
    for said in map(_said, word):
        if not said:
            before, carried = (), {""}
            continue
        out |= {INITIALS | ord(a[0]) << 8 | ord(b[0]) for a in before for b in said}
        out |= {OPENING | ord(s[0]) << 8 | ord(s[1]) for s in said if len(s) > 1}
        runs = {left + s for left in carried for s in said}
        out |= {_three(run[i : i + 3]) for run in runs for i in range(len(run) - 2)}
        before, carried = said, {run[-2:] for run in runs}
    return out


def _three(letters: str) -> int:
    a, b, c = map(ord, letters)
    return LETTERS | a << 14 | b << 7 | c


@functools.lru_cache(maxsize=100_000)
def grams(text: str) -> tuple[int, ...]:
    """The keys by which a text is found, in order, each once."""
    out: set[int] = set()
    for word in words(text):
        out.update(_pairs(word), _singles(word), _spoken(word))
    return tuple(sorted(map(_signed, out)))


def narrowing(kind: str, code: str) -> int:
    """The key of a place's (`area`) or a category's code, by which a search is narrowed before a row is read."""
    return _signed(NARROW | (zlib.crc32(f"{kind} {code}".encode()) & 0x0FFF_FFFF or 1))


def place_keys(code: str) -> list[int]:
    """The keys of a division's code and of those of the units around it, but for the city."""
    return [narrowing("area", code[:digits]) for digits in (6, 9, 12) if len(code) >= digits]


def category_keys(code: str) -> list[int]:
    """The keys of a category's code and of the one above it."""
    return [narrowing("category", c) for c in dict.fromkeys((code.partition(".")[0], code))]


def ways(text: str) -> list[Way]:
    """The ways in which a search is read, each as keys that a row must all have: it is found by any of them.

    Words are found in any order. Of letters alone it is not known whether they are pinyin or initials, so both are
    looked for; letters beside characters (陪zhen) may also stand as they are. Raises InvalidInput for too much, and for
    nothing that could be found.
    """
    if len(text) > LONGEST:
        raise InvalidInput(field="search", reason=f"搜索内容最多 {LONGEST} 个字。")
    wanted = list(dict.fromkeys(words(text)))
    if not wanted:
        raise InvalidInput(field="search", reason="请输入要找的文字。")
    if len(wanted) > WORDS:
        raise InvalidInput(field="search", reason=f"最多同时找 {WORDS} 个词。")
    readings_of = [_read(word) for word in wanted]
    while _product(readings_of) > WAYS:  # of the last word that could be read in several ways, the likeliest
        last = max(i for i, read in enumerate(readings_of) if len(read) > 1)
        readings_of[last] = readings_of[last][:-1]
    combined = (frozenset().union(*chosen) for chosen in itertools.product(*readings_of))
    return [tuple(sorted(map(_signed, keys))) for keys in dict.fromkeys(combined)]


@functools.lru_cache(maxsize=2_000)
def _ways(text: str) -> list[Way]:
    return ways(text)


def sought(text: str, way: int, area: str | None, category: str | None) -> list[int]:
    """The keys that a row must all have to be found by one of the ways of reading a search, in a place and a category:
    the conditions themselves stand beside. Raises InvalidInput as `ways` does."""
    found = _ways(text)
    if way >= len(found):
        return [NEVER]
    narrowed = place_keys(area)[-1:] if area and len(area) in (6, 9, 12, 15) else []
    return [*found[way], *narrowed, *([narrowing("category", category)] if category else [])]


def _product(of: Iterable[list[set[int]]]) -> int:
    out = 1
    for read in of:
        out *= len(read)
    return out


def _read(word: Word) -> list[set[int]]:
    """The ways in which one word is read, the likeliest first."""
    runs = [("".join(run), spoken) for spoken, run in itertools.groupby(word, lambda c: c.isascii() and c.isalnum())]
    as_written = set(_pairs(word))
    if not any(spoken and any(c.isalpha() for c in run) for run, spoken in runs) or len(word) == 1:
        return [as_written]
    if len(runs) == 1:
        return _letters(word)
    apart: list[list[set[int]]] = [_letters(run) if spoken else [set(_pairs(run))] for run, spoken in runs]
    return [as_written, *(set().union(*chosen) for chosen in itertools.product(*apart))]


def _letters(run: str) -> list[set[int]]:
    """Letters as pinyin and as initials, the likelier first. Letters that were written are found by either."""
    if len(run) == 1:
        return [set(_pairs(run))]
    initials = {INITIALS | ord(a) << 8 | ord(b) for a, b in itertools.pairwise(run)}
    if len(run) == 2:
        spoken = {OPENING | ord(run[0]) << 8 | ord(run[1])}
    else:
        spoken = {_three(run[i : i + 3]) for i in range(len(run) - 2)}
    return [spoken, initials] if VOWELS & set(run) else [initials, spoken]


def found_in(text: str, sought: str) -> list[tuple[int, int]]:
    """What of a text was found by a search: [start, end) in UTF-16 code units, as JavaScript counts, in order, apart.

    A word is looked for as it stands, and letters also as pinyin and as initials of the characters. Raises InvalidInput.
    """
    ways(sought)
    letters = [(letter, place) for place, character in enumerate(text) for letter in plain(character)]
    marked = [False] * len(text)
    for word in words(sought):
        runs = ["".join(run) for _, run in itertools.groupby(word, lambda c: c.isascii() and c.isalnum())]
        for part in dict.fromkeys((word, *runs)):
            for start in range(len(letters)):
                for place in _match(letters[start:], part):
                    marked[place] = True
    out: list[tuple[int, int]] = []
    at = 0
    for character, found in zip(text, marked, strict=True):
        after = at + (2 if ord(character) > 0xFFFF else 1)
        if found:
            out = [*out[:-1], (out[-1][0], after)] if out and out[-1][1] == at else [*out, (at, after)]
        at = after
    return out


def _match(letters: list[tuple[str, int]], word: Word) -> Iterable[int]:
    """The places that a word takes from the first of these letters on: as it stands, as initials, or as pinyin."""
    if "".join(letter for letter, _ in letters[: len(word)]) == word:
        return [place for _, place in letters[: len(word)]]
    if len(word) == 1 or not word.isascii():
        return []
    said = [_said(letter) for letter, _ in letters[: len(word)]]
    if len(said) == len(word) and all(
        any(s.startswith(letter) for s in sayings) for letter, sayings in zip(word, said, strict=True)
    ):
        return [place for _, place in letters[: len(word)]]
    taken = _spelt(said, word)
    return [place for _, place in letters[:taken]]


def _spelt(said: list[tuple[str, ...]], rest: str) -> int:
    """How many characters' pinyin spell a word, the last one perhaps in part; 0 where they do not."""
    if not said:
        return 0
    for saying in said[0]:
        if saying.startswith(rest):
            return 1
        if rest.startswith(saying) and (more := _spelt(said[1:], rest[len(saying) :])):
            return 1 + more
    return 0
