"""What the environment may say, and the sentence for what it may not."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from api.settings import FAKE_WECHAT, Mode, Settings, Trouble

MASTER = base64.b64encode(bytes(range(32))).decode()
GIVEN = {"WUSHE_MODE": "production", "WUSHE_MASTER_KEY": MASTER, "DATABASE_URL": "postgresql://api:p@db/wushe"}


def test_an_empty_environment_is_the_demo() -> None:
    found = Settings.from_env({})
    assert (found.mode, found.host, found.port, found.deadline) == (Mode.DEMO, "127.0.0.1", 8000, 5.0)
    assert (found.database_url, found.owner_url, found.replica_urls) == (None, None, ())
    assert not found.metrics_public


def test_production_with_its_keys() -> None:
    replicas = "postgres://api:p@one/wushe, postgresql://api:p@two/wushe,"
    found = Settings.from_env({**GIVEN, "DATABASE_REPLICA_URLS": replicas, "WUSHE_METRICS": "public", "PORT": "80"})
    assert found.production
    assert found.master() == MASTER
    assert found.replica_urls == ("postgresql://api:p@one/wushe", "postgresql://api:p@two/wushe")
    assert found.metrics_public
    assert found.port == 80


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"PORT": "0"}, "PORT is '0': it must be a whole number from 1 to 65535."),
        ({"PORT": "８０"}, "PORT is '８０': it must be a whole number from 1 to 65535."),
        ({"WUSHE_MODE": "prod"}, "WUSHE_MODE is 'prod': it must be one of demo, test, production."),
        ({"WUSHE_POOL_SIZE": "many"}, "WUSHE_POOL_SIZE is 'many': it must be a whole number from 1 to 1000."),
        (
            {"WUSHE_DEADLINE": "nan"},
            "WUSHE_DEADLINE is 'nan': it must be a number of seconds, above 0 and at most 3600.",
        ),
        ({"WUSHE_MASTER_KEY": "short"}, "A master key is 32 bytes in base64: make one with ./wushe keys new."),
        (
            {"DATABASE_URL": "mysql://a:secret@b/c"},
            "DATABASE_URL must look like postgresql://user:password@host:5432/database.",
        ),
        (
            {"DATABASE_URL": GIVEN["DATABASE_URL"]},
            "DATABASE_URL is set: say WUSHE_MODE=production, or WUSHE_MODE=demo if you mean it.",
        ),
        (
            {"HOST": "0.0.0.0"},
            "HOST=0.0.0.0 is open to others: say WUSHE_MODE=production, or WUSHE_MODE=demo if you mean it.",
        ),
        (
            {"DATABASE_OWNER_URL": GIVEN["DATABASE_URL"]},
            "DATABASE_OWNER_URL is set but DATABASE_URL is not: give both, or neither.",
        ),
        (
            {"DATABASE_REPLICA_URLS": GIVEN["DATABASE_URL"]},
            "DATABASE_REPLICA_URLS is set but DATABASE_URL is not: replicas need their primary.",
        ),
        ({**GIVEN, "WUSHE_MASTER_KEY": ""}, "Production mode needs WUSHE_MASTER_KEY."),
        ({**GIVEN, "DATABASE_URL": ""}, "Production mode needs DATABASE_URL."),
        ({"WUSHE_WECHAT_APPID": "wx1"}, "WUSHE_WECHAT_APPID and WUSHE_WECHAT_SECRET: give both, or neither."),
        (
            {"WUSHE_WECHAT_URL": "api.weixin.qq.com"},
            "WUSHE_WECHAT_URL is 'api.weixin.qq.com': it must look like https://api.weixin.qq.com.",
        ),
        (
            {**GIVEN, "WUSHE_WECHAT_URL": "http://fake:8001"},
            "Production mode needs a WUSHE_WECHAT_URL that begins with https://.",
        ),
        ({"WECHAT_PORT": "0"}, "WECHAT_PORT is '0': it must be a whole number from 1 to 65535."),
    ],
)
def test_a_bad_value_is_named(wrong: dict[str, str], sentence: str) -> None:
    with pytest.raises(Trouble) as raised:
        Settings.from_env(wrong)
    assert str(raised.value) == sentence


def test_a_mini_program_and_its_fake(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the mini-program\n")
    assert Settings.from_env({}).wechat_appid is None
    found = Settings.from_env({"WUSHE_WECHAT_APPID": "wx1", "WUSHE_WECHAT_SECRET_FILE": str(secret)})
    assert (found.wechat_url, found.wechat_secret) == ("https://api.weixin.qq.com", "of the mini-program")
    faking = Settings.from_env({}).faking("http://127.0.0.1:8001")
    assert (faking.wechat_url, faking.wechat_appid, faking.wechat_secret) == ("http://127.0.0.1:8001", *FAKE_WECHAT)


def test_a_relative_folder_is_the_callers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WUSHE_CWD", str(tmp_path))
    assert Settings.from_env({"WUSHE_DATA": "here"}).data == tmp_path / "here"


def test_the_demo_makes_a_master_key_and_keeps_it(tmp_path: Path) -> None:
    settings = Settings.from_env({"WUSHE_DATA": str(tmp_path / "data")})
    made = settings.master()
    assert len(base64.urlsafe_b64decode(made)) == 32
    assert settings.master() == made
    kept = tmp_path / "data" / "master-key"
    assert kept.read_text() == made
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [p.name for p in kept.parent.iterdir()] == ["master-key"]
