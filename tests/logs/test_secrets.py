"""What looks like a secret is masked in messages; the rest of them stays."""

import time

import pytest

from netops.logs.secrets import start_without_secrets, without_secrets


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("set password=hunter2 done", "set password=*** done"),
        ('{"api_key": "abc def", "x": 1}', '{"api_key": ***, "x": 1}'),
        ("snmp-server community s3cr3t RO", "snmp-server community *** RO"),
        ("enable secret 5 $1$mERr$hx5rVt7rPNoS4wqbXKX7m0", "enable secret 5 ***"),
        ("key-string 7 070C285F4D06", "key-string 7 ***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("GET ftp://bob:pa55@10.0.0.1/x", "GET ftp://bob:***@10.0.0.1/x"),
        ("token eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ", "token ***"),
        ("commit 0123456789abcdef0123456789abcdef01234567", "commit ***"),
        ("pre-shared-key is letmein", "pre-shared-key is ***"),
        # Keys and passwords in configurations.
        ("logged command:key 7 0822455D0A16", "logged command:key 7 ***"),
        ("key 6 aBcD^efg", "key 6 ***"),
        ("tacacs-server key 7 0822455D0A16", "tacacs-server key 7 ***"),
        ('tacacs-server host 10.0.0.1 key 7 "fewhg"', "tacacs-server host 10.0.0.1 key 7 ***"),
        (
            "radius-server host 10.0.0.1 auth-port 1812 key MySecret",
            "radius-server host 10.0.0.1 auth-port 1812 key ***",
        ),
        ("radius-server host r1 key MySecret timeout 5", "radius-server host r1 key *** timeout 5"),
        ("crypto isakmp key cisco123 address 10.0.0.1", "crypto isakmp key *** address 10.0.0.1"),
        ("key config-key password-encrypt MyMaster", "key config-key password-encrypt ***"),
        ("ip ospf authentication-key foo", "ip ospf authentication-key ***"),
        ("ip ospf message-digest-key 1 md5 7 0822455D", "ip ospf message-digest-key 1 md5 7 ***"),
        ("ip ospf message-digest-key 1 md5 foo", "ip ospf message-digest-key 1 md5 ***"),
        ("ip ospf message-digest-key 200 md5 7 foo", "ip ospf message-digest-key 200 md5 7 ***"),
        ("ntp authentication-key 1 md5 foo 7", "ntp authentication-key 1 md5 *** 7"),
        ("ntp authentication-key 4242 hmac-sha2-256 foo", "ntp authentication-key 4242 hmac-sha2-256 ***"),
        (
            "snmp-server user u g v3 auth md5 Foo priv aes 128 Bar",
            "snmp-server user u g v3 auth md5 *** priv aes 128 ***",
        ),
        (
            "snmp-server user u g v3 auth sha 0xab priv aes-128 0xcd localizedkey",
            "snmp-server user u g v3 auth sha *** priv aes-128 *** localizedkey",
        ),
        (
            "snmp-server user u g v3 auth md5 encrypted 0822 priv des56 encrypted 0945",
            "snmp-server user u g v3 auth md5 encrypted *** priv des56 encrypted ***",
        ),
        # Words between the name and the secret.
        ("username bob secret sha512 $6$Xy$abc/def.g", "username bob secret sha512 ***"),
        ('pre-shared-key ascii-text "foo bar"', "pre-shared-key ascii-text ***"),
        ("pre-shared-key local foo", "pre-shared-key local ***"),
        ("password encrypted 7 foo", "password encrypted 7 ***"),
        ("enable password level 15 7 abc", "enable password level 15 7 ***"),
        ("username bob secret 10 abcd", "username bob secret 10 ***"),
        ("password := x", "password := ***"),
        ("password is: x", "password is: ***"),
        ("password for-bob, community not.public RO", "password ***, community *** RO"),
        ("Authorization: Token abc", "Authorization: Token ***"),
        # Values by their form.
        ("get http://u:p@ss@host/", "get http://u:***@host/"),
        ("get redis://:pw@host/0", "get redis://:***@host/0"),
        ("HTTP://u:pw@host", "HTTP://u:***@host"),
        ('authentication md5 1 key "$9$abcdefgh"', 'authentication md5 1 key "***"'),
        # Quotes that are escaped, or not closed.
        (r'{"password": "a\"b", "x": 1}', '{"password": ***, "x": 1}'),
        (r"{\"password\": \"a b\", \"x\": 1}", r"{\"password\": ***, \"x\": 1}"),
        ('password "hunter two', "password ***"),
        ("password 'hunter\ntwo", "password ***"),
        ("pwd-pwd-pwd=foo", "pwd-pwd-pwd=***"),
        # What is no secret stays.
        ("%LINK-3-UPDOWN: Interface Ethernet1, changed state to down", None),
        ("fan tray 2 speed changed to 80%", None),
        ("BGP neighbor 2001:db8:0:1:2:3:4:5 up, 12345678901234567890123456789012345 prefixes", None),
        ("keyboard attached, key exchange failed", None),
        ("primary key of table, duplicate key 5 rejected, key 12 of 20", None),
        ("BGP keepalive sent, hot key", None),
        ("RADIUS: key exchange failed; ISAKMP: key 7 negotiation", None),
        ("OSPF: Mismatch Authentication Key - Message Digest Key 1", None),
        ("Failed password for root from 10.0.0.1 port 22 ssh2", None),
        ("token is not valid, bypass enabled, password mismatch, secret expired.", None),
        ("connect to http://10.0.0.1:8080/a@b and ntp://10.0.0.1:123", None),
        ('{"url":"http://10.0.0.1:80","mail":"a@b"}', None),
    ],
)
def test_secrets_are_masked(text: str, masked: str | None) -> None:
    expected = text if masked is None else masked
    assert without_secrets(text) == expected
    assert without_secrets(expected) == expected


def test_the_start_has_no_part_of_a_secret() -> None:
    secret = "http://bob:hunter2pw@host/x"
    for before in range(120):
        text = "x" * before + " " + secret + " y" * 20
        for length in (20, 40, 60):
            start = start_without_secrets(text, length)
            assert "hun" not in start
            assert len(start) <= length


def test_masks_do_not_move_a_half_secret_into_the_start() -> None:
    for length in range(20, 60):
        text = f"password={'p' * 40} http://bob:hunter2pw@host/x and more"
        assert "hun" not in start_without_secrets(text, length)
    assert start_without_secrets("x" * 21, 10) == "***"
    assert start_without_secrets("x" * 20, 10) == "x" * 10


def _seconds(text: str) -> float:
    """Return the shortest of some processor times."""
    times = []
    for _ in range(5):
        since = time.thread_time()
        without_secrets(text)
        times.append(time.thread_time() - since)
    return min(times)


@pytest.mark.timing
@pytest.mark.parametrize(
    "unit",
    [
        "pwd-", "password ", "a", "a:", "x://a:", "://a", "key=", "1a/", "eyJ-", "eyJaaaaaaaa.",
        "$1$", " ", '\\"', "\\", "pwd: 12345 md5 ",
        'pwd="', "pwd='", "pwd ", "key 7 ", "radius-server key ", "pwd 1 level ", "snmp-server  ", "is ", "@",
        "http://",
    ],
)  # fmt: skip
def test_masking_takes_linear_time(unit: str) -> None:
    for head in ("", "x://", "password ", "crypto isakmp key "):
        size = 3_000
        short, long = (head + unit * (n // len(unit)) for n in (size, 16 * size))
        # 16 times as long if it is linear, 256 times if it is quadratic.
        assert _seconds(long) < 70 * max(_seconds(short), 20e-6)
