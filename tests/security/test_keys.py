"""The key tree, on both stores: one key per purpose, wrapped; a wrong key-encryption key refuses; rotation."""

from __future__ import annotations

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.control.engine import writing
from leat.control.key_tables import DataKeyRow, StoredSecret
from leat.control.keys import locks
from leat.control.keys.ciphertext import decrypt, encrypt, kid_of, place_of
from leat.control.keys.kek_places import file_provider
from leat.control.keys.problem import KeyProblem
from leat.control.keys.rotation import reencrypt, rewrap, rotate
from leat.control.keys.tree import DataKey, Keys, open_keys
from leat.control.secret_store import SecretsPlace, SecretStore
from leat.control.store import open_control
from leat.warehouse.session import Busy, WarehouseError

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def keys_in(store: Engine, folder: Path, kek: str = "kek.key") -> Keys:
    """Return the keys as another process would open them: nothing is unwrapped yet."""
    return open_keys(store, file_provider(folder / kek))


def events(store: Engine) -> list[str]:
    with Session(store) as session:
        return list(session.scalars(select(AuditEvent.event).order_by(AuditEvent.id)))


def test_a_purpose_has_one_key_which_is_wrapped(store: Engine, tmp_path: Path) -> None:
    keys = keys_in(store, tmp_path)
    secrets, pii = keys.data_key("secrets"), keys.data_key("pii")
    assert secrets != pii
    assert keys.data_key("pii", "person_1") not in (pii, secrets)
    assert "secret" not in repr(secrets)
    again = keys_in(store, tmp_path)
    assert (again.data_key("secrets"), again.by_kid(pii.kid)) == (secrets, pii)
    assert (tmp_path / "kek.key").stat().st_mode & 0o777 == 0o600
    with Session(store) as session:
        rows = list(session.scalars(select(DataKeyRow)))
    for row in rows:
        assert base64.urlsafe_b64encode(secrets.secret).decode().rstrip("=") not in str(row.wrapped)
        assert row.kek.startswith("file:")
    assert events(store) == ["key.created"] * 3


def test_who_comes_first_makes_the_key(store: Engine, tmp_path: Path) -> None:
    start = threading.Barrier(6)

    def first(_number: int) -> DataKey:
        keys = keys_in(store, tmp_path)
        start.wait()
        return keys.data_key("warehouse")

    with ThreadPoolExecutor(6) as threads:
        assert len({key.kid for key in threads.map(first, range(6))}) == 1
    with Session(store) as session:
        assert session.scalar(select(func.count()).select_from(DataKeyRow)) == 1


def test_another_key_encryption_key_is_refused(store: Engine, tmp_path: Path) -> None:
    key = keys_in(store, tmp_path).data_key("secrets")
    for wrong in (keys_in(store, tmp_path, "other.key"), keys_in(store, tmp_path, "third.key")):
        if "third" in wrong.provider.where():
            (tmp_path / "third.key").write_text(base64.b64encode(b"3" * 32).decode())
            (tmp_path / "third.key").chmod(0o600)
        for use in (wrong.check, lambda keys=wrong: keys.by_kid(key.kid), lambda keys=wrong: keys.data_key("pii")):
            with pytest.raises(
                KeyProblem, match=r"wrapped under the key-encryption key file:.*Next: restore the right key"
            ):
                use()
    assert not (tmp_path / "other.key").exists(), "a new one would only hide that the right one is missing"
    (tmp_path / "kek.key").chmod(0o640)
    with pytest.raises(KeyProblem, match=r"others can read the key-encryption key in .*chmod 600"):
        keys_in(store, tmp_path).check()


def test_a_wrapped_key_that_was_altered_is_refused(store: Engine, tmp_path: Path) -> None:
    keys = keys_in(store, tmp_path)
    one, other = keys.data_key("secrets"), keys.data_key("pii")
    with writing(store) as session:  # whoever can write to the store lets pii decrypt what secrets has encrypted
        rows = {row.kid: row for row in session.scalars(select(DataKeyRow))}
        rows[one.kid].wrapped = rows[other.kid].wrapped
    with pytest.raises(KeyProblem, match="was altered in the control store"):
        keys_in(store, tmp_path).by_kid(one.kid)


def test_rotation_keeps_what_is_stored_and_old_keys_are_refused(store: Engine, tmp_path: Path) -> None:
    secrets = SecretStore(keys_in(store, tmp_path))
    for number in range(7):
        secrets.write(f"s{number}", f"value {number}")
    old = secrets.keys.data_key("secrets")
    wrapped = _row(store, old.kid).wrapped
    ciphertext = encrypt(old, b"left behind", place_of("t", "c", "1"))
    (new,) = rotate(secrets.keys)
    assert keys_in(store, tmp_path).data_key("secrets").kid == new.kid != old.kid
    assert secrets.read("s3") == "value 3", "an old key decrypts"
    assert [key.kid for key in keys_in(store, tmp_path).live("secrets")] == [new.kid, old.kid]
    place = SecretsPlace(secrets.keys)
    assert (place.count([old.kid]), place.reencrypt([old.kid], 2), place.count([old.kid])) == (7, 2, 5)
    done = reencrypt(keys_in(store, tmp_path), [SecretsPlace(keys_in(store, tmp_path))], batch=2)
    assert (done.values, done.retired, done.in_use) == ({place.name: 5}, [old.kid], {})
    fresh = SecretStore(keys_in(store, tmp_path))
    assert [fresh.read(f"s{number}") for number in range(7)] == [f"value {number}" for number in range(7)]
    with pytest.raises(KeyProblem, match="is retired, so that nobody can decrypt with it"):
        decrypt(fresh.keys.by_kid, ciphertext, place_of("t", "c", "1"))
    assert _row(store, old.kid).wrapped is None
    if store.dialect.name == "sqlite":
        left = b"".join(path.read_bytes() for path in tmp_path.glob("control.db*") if path.is_file())
        assert str(wrapped).encode() not in left, "neither in free pages nor in the log"
    assert reencrypt(secrets.keys, [place]).retired == []
    assert [e for e in events(store) if e.startswith("key.")] == [
        "key.created",
        "key.created",
        "key.rotated",
        "key.retired",
    ]


def test_a_key_that_somebody_holds_is_not_retired(store: Engine, tmp_path: Path) -> None:
    loading, rotating = keys_in(store, tmp_path), keys_in(store, tmp_path)
    with loading.hold("pii") as held:
        (new,) = rotate(rotating)
        done = reencrypt(rotating, [], wait=0)
        assert (done.retired, list(done.in_use)) == ([], [held.kid])
        assert rotating.by_kid(held.kid) == held
        with loading.hold("pii") as later:
            assert later.kid == new.kid, "whoever comes later holds the new one"
    assert reencrypt(rotating, [], wait=0).retired == [held.kid]


def test_keys_of_single_people_are_rotated_too(store: Engine, tmp_path: Path) -> None:
    keys = keys_in(store, tmp_path)
    before = {subject: keys.data_key("pii", subject) for subject in ("", "ada", "bob")}
    assert len(rotate(keys)) == len(before)
    for subject, old in before.items():
        assert keys.data_key("pii", subject).kid != old.kid
        assert old in keys.live("pii", subject), "the old one decrypts"
    assert len(reencrypt(keys, [], wait=0).retired) == len(before)


def test_values_that_come_meanwhile_are_not_lost(store: Engine, tmp_path: Path) -> None:
    """A place gets values under an old key after the pass over it: by a writer whose transaction began before."""
    keys = keys_in(store, tmp_path)
    secrets, place = SecretStore(keys), SecretsPlace(keys)
    secrets.write("a", "1")
    old = keys.data_key("secrets")
    rotate(keys)
    late = [place]

    class Late:
        name = "late"

        def count(self, kids: object) -> int:
            return len(late)

        def reencrypt(self, kids: object, limit: int) -> int:
            return 0

    done = reencrypt(keys, [place, Late()], wait=0)
    assert (done.retired, done.in_use) == ([], {old.kid: "1 values are left in late"})
    late.clear()
    assert reencrypt(keys, [place, Late()], wait=0).retired == [old.kid]


def test_a_secret_that_is_stored_at_the_last_moment_is_not_lost(store: Engine, tmp_path: Path) -> None:
    """By a transaction that read the current key before the rotation, and is committed after the places were asked."""
    keys = keys_in(store, tmp_path)
    old, late = keys.data_key("secrets"), SecretStore(keys)

    class Asked:
        name = "asked last"

        def count(self, _kids: object) -> int:
            with writing(store) as session:
                row = StoredSecret(name="late", purpose="secrets", kid=old.kid, created_at=NOW, changed_at=NOW)
                row.value, row.changed_by = encrypt(old, b"value", place_of("stored_secret", "value", "late")), "ada"
                session.merge(row)
            return 0

        def reencrypt(self, _kids: object, _limit: int) -> int:
            return 0

    rotate(keys)
    done = reencrypt(keys, [Asked()], wait=0)
    assert (done.retired, done.in_use) == ([], {old.kid: "1 secrets were stored meanwhile"})
    assert late.read("late") == "value"
    assert reencrypt(keys, [SecretsPlace(keys)], wait=0).retired == [old.kid]
    assert SecretStore(keys_in(store, tmp_path)).read("late") == "value"


def test_a_new_key_encryption_key_takes_over_whenever_it_is_killed(store: Engine, tmp_path: Path) -> None:
    keys = keys_in(store, tmp_path)
    key = keys.data_key("secrets")
    before = (tmp_path / "kek.key").read_text()
    with pytest.raises(RuntimeError), keys.provider.renewed():
        raise RuntimeError  # killed before the keys were wrapped again
    assert keys_in(store, tmp_path).by_kid(key.kid) == key
    rewrap(keys)
    after = (tmp_path / "kek.key").read_text()
    assert after != before
    assert not (tmp_path / "kek.key.next").exists()
    assert keys_in(store, tmp_path).by_kid(key.kid) == key
    (tmp_path / "kek.key.next").write_text(after)  # killed after they were, before the file took its place
    (tmp_path / "kek.key.next").chmod(0o600)
    (tmp_path / "kek.key").write_text(before)
    assert keys_in(store, tmp_path).by_kid(key.kid) == key
    assert (tmp_path / "kek.key").read_text() == after
    (tmp_path / "kek.key").write_text(before)
    with pytest.raises(KeyProblem, match="isn't it"):
        keys_in(store, tmp_path).by_kid(key.kid)
    assert events(store).count("key.rewrapped") == 1
    (tmp_path / "kek.key").write_text(after)
    rewrap(keys)
    last = (tmp_path / "kek.key").read_text()
    (tmp_path / "kek.key.next").write_text(last)  # killed there again, and the next rotation comes
    (tmp_path / "kek.key.next").chmod(0o600)
    (tmp_path / "kek.key").write_text(after)
    rewrap(keys_in(store, tmp_path))
    assert keys_in(store, tmp_path).by_kid(key.kid) == key


def test_another_provider_takes_over(store: Engine, tmp_path: Path) -> None:
    key = keys_in(store, tmp_path).data_key("audit")
    elsewhere = file_provider(tmp_path / "elsewhere" / "kek.key")
    moving = open_keys(store, elsewhere, file_provider(tmp_path / "kek.key"))
    assert moving.by_kid(key.kid) == key
    assert moving.data_key("pii")
    rewrap(moving)
    assert open_keys(store, elsewhere).by_kid(key.kid) == key
    with pytest.raises(KeyProblem):
        keys_in(store, tmp_path).check()


KEY = DataKey("0123456789abcdef", b"k" * 32)
PLACES = st.tuples(st.sampled_from(["a", "ab"]), st.sampled_from(["b", "c"]), st.text(max_size=4))


@given(st.binary(max_size=80), PLACES, PLACES, st.data())
def test_a_value_is_decrypted_only_where_it_belongs_and_as_it_was(
    value: bytes, where: tuple[str, str, str], elsewhere: tuple[str, str, str], data: st.DataObject
) -> None:
    written = encrypt(KEY, value, place_of(*where))
    assert (kid_of(written), written.split(":")[0]) == (KEY.kid, "leat1")
    assert decrypt(lambda _kid: KEY, written, place_of(*where)) == value
    assert encrypt(KEY, value, place_of(*where)) != written
    if elsewhere != where:
        with pytest.raises(KeyProblem, match="was altered, or doesn't belong to"):
            decrypt(lambda _kid: KEY, written, place_of(*elsewhere))
    at = data.draw(st.integers(len("leat1:") + len(KEY.kid) + 1, len(written) - 2))
    altered = written[:at] + ("A" if written[at] != "A" else "B") + written[at + 1 :]
    with pytest.raises(KeyProblem):
        decrypt(lambda _kid: KEY, altered, place_of(*where))


def test_places_can_not_be_mixed_up() -> None:
    for table, column in (("a|b", "c"), ("a", "b|c")):
        with pytest.raises(ValueError, match="would be ambiguous"):
            place_of(table, column, "1")
    for odd in ("", "plain", "leat1:kid", "leat2:kid:a:b"):
        with pytest.raises(KeyProblem, match="isn't encrypted as leat does"):
            kid_of(odd)


def test_no_connection_stays_open_that_nobody_closes(tmp_path: Path) -> None:
    store = open_control(f"sqlite:///{tmp_path / 'control.db'}", pooled=False)
    keys_in(store, tmp_path).data_key("secrets")
    assert store.pool.status() == "NullPool"


def _row(store: Engine, kid: str) -> DataKeyRow:
    with Session(store) as session:
        row = session.get(DataKeyRow, kid)
        assert row is not None
        return row


def test_a_lock_on_postgres_outlasts_what_ends_idle_transactions(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_FROZEN", "SET LOCAL idle_in_transaction_session_timeout = '500ms'")
    monkeypatch.setattr(locks, "_ASKED", 0.05)
    store = open_control(postgres_url, pooled=False)
    with locks.alone(store, "a key", 0):
        time.sleep(1)
        with pytest.raises(Busy), locks.alone(store, "a key", 0):
            pass
    with pytest.raises(WarehouseError, match="has ended the transaction"), locks.sharing(store, "a key"):
        with store.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
        time.sleep(0.5)
