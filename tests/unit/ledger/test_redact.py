"""What looks like a secret is not written, what it was is said, and ordinary words stay."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlops_cli.ledger import redact
from mlops_cli.ledger.record import record

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}
DRAWN = "aB3dE6fG7hJ8kL9mN0pQ1rS2tU3vW4xY5zA6"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("what", "said", "left"),
    [
        ("github-token", f"clone with ghp_{DRAWN} now", "clone with [redacted: github-token] now"),
        ("github-token", f"github_pat_{DRAWN}", "[redacted: github-token]"),
        ("gitlab-token", f"glpat-{DRAWN[:20]}", "[redacted: gitlab-token]"),
        ("aws-access-key", "key AKIAIOSFODNN7EXAMPLE.", "key [redacted: aws-access-key]."),
        ("google-api-key", f"AIza{DRAWN[:35]}", "[redacted: google-api-key]"),
        ("slack-token", "xoxb-123456789012-abcdef", "[redacted: slack-token]"),
        ("stripe-key", f"sk_live_{DRAWN[:24]}", "[redacted: stripe-key]"),
        ("api-key", f"sk-proj-{DRAWN}", "[redacted: api-key]"),
        ("huggingface-token", f"hf_{DRAWN[:34]}", "[redacted: huggingface-token]"),
        ("npm-token", f"npm_{DRAWN}", "[redacted: npm-token]"),
        ("pypi-token", f"pypi-{DRAWN}{DRAWN}", "[redacted: pypi-token]"),
        ("azure-key", f"AccountKey={DRAWN}{DRAWN}==;x", "AccountKey=[redacted: azure-key];x"),
        ("json-web-token", f"eyJ{DRAWN}.eyJ{DRAWN}.{DRAWN}", "[redacted: json-web-token]"),
        ("url-password", "s3://me:hunter2@host/b", "s3://me:[redacted: url-password]@host/b"),
        (
            "authorization",
            "Authorization: Bearer abc.def-ghi",
            "Authorization: Bearer [redacted: authorization]",
        ),
        ("private-key", f"a\n{KEY}\nb", "a\n[redacted: private-key]\nb"),
        ("private-key", KEY[:60], "[redacted: private-key]"),
        ("password", "psql password=hunter2 -h db", "psql password=[redacted: password] -h db"),
        ("password", '{"dbPassword": "a b"}', '{"dbPassword": "[redacted: password]"}'),
        ("secret", "CLIENT_SECRET: xyz", "CLIENT_SECRET: [redacted: secret]"),
        ("token", f"?token={DRAWN}&page=2", "?token=[redacted: token]&page=2"),
        ("api_key", f"WANDB_API_KEY={DRAWN}", "WANDB_API_KEY=[redacted: api_key]"),
    ],
)
def test_each_shape_goes_and_is_named(what: str, said: str, left: str) -> None:
    assert redact.text(said) == (left, [what])
    assert redact.text(left) == (left, []), "twice is once"
    assert redact.data(said.encode()) == (left.encode(), [what])


@pytest.mark.parametrize(
    "said",
    [
        "tokenizer=bert-base-uncased-2018-10-18",
        "max_tokens=4096 tokens: 12345678901234567890",
        "key=sha256:" + "3f" * 32,
        "token: sha256:" + "3f" * 32,
        "password=$DB_PASSWORD password: <yours> PASSWORD=${SECRET}",
        "public_key=" + DRAWN,
        "https://example.org/a:b@c",
        "secret: true",
        "gh pages, sk-learn, hf_hub, AKIA",
        "the author authored authority = Ada",
        "-----BEGIN PUBLIC KEY-----",
    ],
)
def test_ordinary_words_stay(said: str) -> None:
    assert redact.text(said) == (said, [])


def test_a_record_says_what_was_taken_out_of_which_field() -> None:
    made = record(
        "feedback",
        time=WHEN,
        actor="Ada",
        **NOTE,
        params={"db.password": "hunter2", "token": "[CLS]", "url": "http://a:b@c/", "lr": 0.1},
        inputs={"https://me:pw12@host/x.csv": "sha256:" + "1" * 64},
        words=["fine", f"ghp_{DRAWN}"],
    )
    assert b"hunter2" not in made.data and b"pw12" not in made.data and b"ghp_" not in made.data
    assert made["params"]["db.password"] == "[redacted: password]"
    assert made["params"]["token"] == "[CLS]"
    assert list(made["inputs"]) == ["https://me:[redacted: url-password]@host/x.csv"]
    assert made["redacted"] == {
        "params.db.password": ["password"],
        "params.url": ["url-password"],
        "inputs.https://me:[redacted: url-password]@host/x.csv": ["url-password"],
        "words.1": ["github-token"],
    }
    clean = record("feedback", time=WHEN, actor="Ada", **NOTE, n=1)
    assert "redacted" not in clean.body
