"""What stands in the place of a manifest, or of a directory that it names: read as the tenant, refused in a sentence,
and what ran before runs on."""
import json
import os

import pytest
from actors import SECONDS, Bare, add_attacker, give_attacks, waited

MARKER = "MARKER-of-root"


@pytest.fixture(scope="module")
def street(module_host, share):
    acme = add_attacker(module_host, "acme", domains=["acme.test", "b.acme.test", "c.acme.test"])
    flip = add_attacker(module_host, "flip", registry=(
        "uid: {tenant.uid}\ngid: {tenant.uid}\nhome: {tenant.home}\nplan: test\n"
        "domains: [{tenant.domains[0]}]\nmanifest: conf/rowhouse.yaml\n"))
    flip.put("conf/rowhouse.yaml", (flip.home / "rowhouse.yaml").read_text())
    give_attacks(acme, "tools")
    module_host.add_bystander()
    module_host.start("acme/site", "flip/site", "bystander/site")
    share(module_host)
    return module_host


@pytest.fixture
def acme(street):
    """The tenant; afterwards its good manifest is back and taken."""
    tenant = street.tenants["acme"]
    manifest = tenant.home / "rowhouse.yaml"
    good = manifest.read_text()
    yield tenant
    manifest.unlink(missing_ok=True)
    tenant.manifest(good)
    assert street.cli("restart", "acme/site").code == 0


@pytest.fixture
def bare(acme):
    with Bare(acme, code=acme.home / "tools" / "bad_app.py") as child:
        yield child


def replace(tenant, make):
    """Another thing in the manifest's place, made as the tenant's."""
    path = tenant.home / "rowhouse.yaml"
    path.unlink()
    make(path)
    os.lchown(path, tenant.uid, tenant.uid)


def refuse(street, tenant, within=5):
    """A restart, which reads the manifest: it must be refused, and what served must still serve.  Everything that
    anybody is told about it."""
    answer, took = waited(lambda: street.cli("restart", f"{tenant.name}/site"))
    assert answer.code == 1, answer
    assert took < within, f"{took:.1f} s"
    assert street.http(tenant.domain).status == 200
    told = [answer.out, answer.err, street.log]
    for uid in (0, tenant.uid):
        for command in (("status",), ("status", "--json"), ("logs", f"{tenant.name}/site")):
            said = street.cli(*command, uid=uid)
            told += [said.out, said.err]
    return answer.out + answer.err, "".join(told)


@pytest.mark.case("S01")
def test_a_manifest_that_is_a_link_is_refused_and_no_byte_of_its_target_is_told(case, street, acme):
    secret = street.directory / "secret.yaml"
    secret.write_text(f"{MARKER}: 1\n")
    secret.chmod(0o600)
    replace(acme, lambda path: path.symlink_to(secret))
    case.control(f"root reads {(acme.home / 'rowhouse.yaml').read_text().strip()}")
    sentence, everything = refuse(street, acme)
    replace(acme, lambda path: path.symlink_to("/etc/shadow"))
    everything += refuse(street, acme)[1]
    case.walls(sentence.split("rowhouse.yaml:")[-1].strip())
    assert "not a regular file" in sentence
    assert MARKER not in everything and "root:" not in everything


@pytest.mark.case("S02")
def test_a_manifest_that_is_a_fifo_is_refused_at_once(case, street, acme, bare):
    replace(acme, os.mkfifo)
    bare.order("bad_sharing.read", path=str(acme.home / "rowhouse.yaml"))
    case.control("waits for ever" if bare.answer(0.5) is None else "answers")
    sentence, _ = refuse(street, acme, within=1)
    case.walls(sentence.split("rowhouse.yaml:")[-1].strip())
    assert "not a regular file" in sentence


@pytest.mark.case("S03")
def test_a_manifest_of_ten_gigabytes_is_refused_by_its_size_limit(case, street, acme, bare):
    def make(path):
        path.write_text("apps: {}\n")
        os.truncate(path, 10 << 30)

    replace(acme, make)
    size = 100 << 20
    read = bare.ask("bad_sharing.count_bytes", path=str(acme.home / "rowhouse.yaml"), size=size)
    case.control(f"{read >> 20} MiB read", held=read < size)
    sentence, _ = refuse(street, acme, within=2)
    case.walls(sentence.split("rowhouse.yaml:")[-1].strip())
    assert "larger than 65536 bytes" in sentence


@pytest.mark.case("S04")
def test_a_directory_that_becomes_a_link_at_the_right_moment_never_leads_outside(case, street):
    flip = street.tenants["flip"]
    outside = street.directory / "outside"
    outside.mkdir()
    (outside / "rowhouse.yaml").write_text("outside-marker: 1\n")
    good = (flip.home / "conf" / "rowhouse.yaml").read_text()
    flip.put("conf/rowhouse.yaml", "inside-marker: 1\n")
    with Bare(flip) as attacker, Bare(flip) as reader:
        attacker.ask("bad_flips.start_flipping", path=str(flip.home / "conf"), target=str(outside))
        control = reader.ask("bad_flips.open_through", path=str(flip.home / "conf" / "rowhouse.yaml"), seconds=10,
                             marker="outside-marker")
        case.control(control, held=control == "not led outside")
        told, ends = [], 0

        def read_again():
            told.append(street.cli("restart", "flip/site"))

        # On a slow machine the directory is seldom in its place: until it was, the race was not run.
        while ends < SECONDS or (ends < 10 * SECONDS and "inside-marker" not in str(told)):
            ends += waited(read_again)[1]
        rounds = attacker.ask("bad_flips.stop_flipping")
    said = [answer.out + answer.err for answer in told]
    inside, refused = ["inside-marker" in text for text in said].count(True), len(said)
    case.walls(f"{len(said)} readings, {inside} inside, 0 outside ({rounds} flips)")
    assert not [text for text in said if "outside-marker" in text] and "outside-marker" not in street.log
    assert all(answer.code == 1 for answer in told)
    assert rounds > 100 and refused > 5 and inside > 0, "the race was not run"
    flip.put("conf/rowhouse.yaml", good)
    assert street.cli("restart", "flip/site").code == 0


PRIVILEGES = ["uid: 0", "gid: 0", "user: root", "cgroup: /", "seccomp: off", "memory: max", "home: /root",
              "plan: other", "network: host", "capabilities: all", "sandbox: off", "env: { LD_PRELOAD: /tmp/x.so }",
              "env: { PYTHONHOME: /tmp }", "env: { ROWHOUSE_X: 1 }", "limits: { memory: 900G }",
              "limits: { seccomp: off }"]


@pytest.mark.case("S05")
@pytest.mark.parametrize("line", PRIVILEGES, ids=[line.split("{")[-1].split(":")[0].strip() + str(n)
                                                  for n, line in enumerate(PRIVILEGES)])
def test_a_manifest_has_no_key_for_privileges(case, street, acme, line):
    case.no_control("there is a manifest only where Rowhouse reads it")
    acme.manifest("apps:\n  site:\n    routes: [acme.test]\n    wsgi: bad_app:application\n    directory: bad\n"
                  f"    {line}\n")
    sentence, _ = refuse(street, acme)
    case.walls(sentence.split("rowhouse.yaml:")[-1].strip())
    key = line.split("{")[-1].split(":")[0].strip()
    assert key in sentence


GOOD = "apps: { site: { routes: [acme.test], wsgi: 'bad_app:application', directory: bad } }\n"
BOMBS = {
    "nesting": "[" * 60_000,
    "nested maps": "a: " + "{b: " * 15_000,
    "nesting of 100,000": "[" * 100_000,
    "keys": "".join(f"k{n}: 1\n" for n in range(9000)),
    "a million keys": "".join(f"k{n}: 1\n" for n in range(1_000_000)),
    "laughs": "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(100)),
    "1e400": GOOD.replace("bad }", "bad, threads: 1e400 }"),
    "a huge number": GOOD.replace("bad }", f"bad, threads: {'9' * 400} }}"),
    "bad UTF-8": GOOD.encode().replace(b"bad }", b"b\xff\xfed }"),
    "NUL": GOOD.encode().replace(b"bad }", b"b\0d }"),
    "a document after the first": GOOD + "---\n" + GOOD,
    "an endless quote": "apps: '" + "x" * 60_000,
    "an endless tag": "!" + "x" * 60_000,
}


@pytest.mark.case("S06")
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_manifest_that_is_a_bomb_is_refused_in_bounded_time(case, street, acme, bomb):
    case.no_control("there is a manifest only where Rowhouse reads it")
    content = BOMBS[bomb]
    replace(acme, lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode()))
    sentence, everything = refuse(street, acme, within=3)
    case.walls(sentence.split("rowhouse.yaml:")[-1].strip())
    assert "rowhouse.yaml:" in sentence and "did not answer" not in everything
    assert len(sentence) < 8192


@pytest.mark.case("S17")
def test_an_app_directory_that_comes_and_goes_is_a_clean_failure(case, street, acme, bare):
    case.no_control("what is promised is how Rowhouse fails")
    bare.ask("bad_flips.stopped")
    bare.order("bad_flips.close_and_open", path=str(acme.home / "bad"), seconds=SECONDS)
    codes = []
    while (rounds := bare.answer(0)) is None:
        codes.append(street.cli("restart", "acme/site").code)
    case.walls(f"{len(codes)} restarts: {codes.count(0)} done, {codes.count(1)} refused ({rounds} changes)")
    assert set(codes) <= {0, 1} and rounds > 5 and len(codes) > 2
    assert street.cli("restart", "acme/site").code == 0
    assert street.http(acme.domain).status == 200


@pytest.mark.case("S18")
@pytest.mark.parametrize("target", ["bystander", "/etc", ".."])
def test_an_app_directory_that_is_a_link_is_refused(case, street, acme, target):
    place = str(street.tenants[target].home / "probe") if target in street.tenants else target
    link = acme.home / "app"
    link.symlink_to(place)
    os.lchown(link, acme.uid, acme.uid)
    case.control(f"root enters {os.path.realpath(link) != str(link)}")
    street.set_probe(acme, wsgi="bad_app:application", directory="app")
    sentence, _ = refuse(street, acme)
    link.unlink()
    case.walls(sentence.split("rowhouse.yaml:")[-1].strip())
    assert "symbolic links are not followed" in sentence


@pytest.mark.case("S20")
@pytest.mark.parametrize("name", [r"a\nb: stopped", r"\e]0;owned\a", r"\xff\xfe", "n" * 255, r"\u202egpj.exe",
                                  r"a\x7fb\u0085c\u2028d"])
def test_a_name_with_control_characters_is_told_escaped(case, street, acme, name):
    street.set_probe(acme, wsgi="bad_app:application", directory=f'"{name}"')
    raw = json.loads(f'"{name}"'.replace(r"\e", r"\u001b").replace(r"\a", r"\u0007").replace(r"\x", r"\u00"))
    hostile = [c for c in raw if not c.isprintable() and c != "\n"]
    case.control(f"{len(hostile) + raw.count(chr(10))} raw characters", held=not hostile and "\n" not in raw)
    sentence, everything = refuse(street, acme)
    case.walls(sentence.split("rowhouse.yaml:")[-1].strip())
    assert not [c for c in hostile if c in everything]
    assert not [line for line in everything.splitlines() if line.startswith("b: stopped")]
    json.loads(street.cli("status", "--json").out)
