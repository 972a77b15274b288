"""What is merged of several processes is what one process with all partitions would answer."""

from hypothesis import given
from hypothesis import strategies as st

from netops.serving.alerts.store import Alert
from netops.serving.peers.network import chosen
from netops.serving.requests.endpoints.alerts import AlertsQuery, newest
from netops.serving.requests.endpoints.devices import DevicesQuery, pages
from netops.serving.requests.endpoints.health import Health, PartitionHealth, combined
from netops.serving.requests.processes import Answers, Found, Peer
from netops.serving.requests.reply import Reply
from netops.serving.requests.scope import Held, Own, missing_names, missing_numbers, read_own, with_own

#: The devices of each partition, and the process that owns it.
NETWORK = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=8)


def own(instance: str, generations: dict[int, int], total: int | None = 4, devices: int = 0) -> Own:
    held = {number: Held(generation, devices) for number, generation in generations.items()}
    return Own(instance, "demo", "t", total, held)


def found(one: Own) -> Found:
    return Found(one, Reply(200, b""))


@given(NETWORK, st.integers(0, 60), st.integers(1, 60))
def test_pages_of_several_owners_are_those_of_the_union(
    network: list[tuple[int, int]], offset: int, limit: int
) -> None:
    everything = [(number, index) for number, (count, _) in enumerate(network) for index in range(count)]
    processes = {
        owner: Own(
            str(owner),
            "demo",
            "t",
            len(network),
            {number: Held(0, count) for number, (count, has) in enumerate(network) if has == owner},
        )
        for _, owner in network
    }
    answers = Answers([found(one) for one in processes.values()], [])
    listed = []
    for page in pages(answers, DevicesQuery(limit, offset)):
        assert page.instance == str(network[page.number][1])
        listed += [(page.number, index) for index in range(page.offset, page.offset + page.limit)]
    assert listed == everything[offset : offset + limit]
    for number in range(len(network) + 1):
        of_one = pages(answers, DevicesQuery(limit, offset, number))
        count = sum(page.limit for page in of_one)
        assert count == len([one for one in everything if one[0] == number][offset : offset + limit])


ALERT = st.tuples(st.integers(0, 5), st.integers(0, 20), st.integers(0, 3))


@given(st.lists(ALERT, unique_by=lambda one: one[1]), st.integers(1, 20))
def test_the_newest_alerts_of_several_are_those_of_the_union(made: list[tuple[int, int, int]], limit: int) -> None:
    alerts = [
        (Alert(id=f"{name:02}", kind="risk", network="demo", device="d", opened=f"2024-01-0{day + 1}"), owner)
        for day, name, owner in made
    ]
    query = AlertsQuery(limit=limit)
    owned = [newest([[alert for alert, owner in alerts if owner == one]], query) for one in range(4)]
    whole = newest([[alert for alert, _ in alerts]], query)
    assert newest(owned, query) == whole
    assert [(alert.opened, alert.id) for alert in whole] == sorted(
        ((alert.opened, alert.id) for alert, _ in alerts), reverse=True
    )[:limit]


def test_a_site_alert_that_two_report_is_listed_once() -> None:
    def site(*devices: str) -> Alert:
        return Alert(id="s", kind="site", network="demo", site="x", opened="2024-01-01", devices=list(devices))

    (alert,) = newest([[site("a", "c")], [site("b", "c")]], AlertsQuery())
    assert alert.devices == ["a", "b", "c"]


def test_the_higher_fencing_token_counts() -> None:
    old, new, other = found(own("old", {0: 3, 1: 5})), found(own("new", {0: 4})), found(own("other", {2: 0}))
    assert chosen([old, new, other]) == [new, other]
    assert chosen([other, new]) == [other, new]
    # A partition that has moved twice, in both directions.
    assert chosen([found(own("a", {0: 3, 1: 6})), found(own("b", {0: 4, 1: 5}))]) == []


def test_partitions_without_an_owner_are_missing() -> None:
    assert missing_numbers([own("a", {0: 1}), own("b", {3: 1}, total=None)]) == [1, 2]
    assert missing_numbers([own("a", {0: 1, 1: 0}), own("b", {2: 0, 3: 1}, total=3)]) == []
    # Partitions were added, and one process has not seen it yet.
    assert missing_numbers([own("a", {0: 1, 1: 0}, total=2), own("b", {2: 0}, total=4)]) == [3]
    assert missing_numbers([own("a", {0: 1}, total=None)]) is None
    assert missing_names([1, 2], "t") == ["t-1", "t-2"]
    assert missing_names(None, "t") == ["t-?"]
    assert missing_names([], "t") == []


def test_a_process_is_reported_in_a_header() -> None:
    one = Own("é", "ne\n漢", "t", None, {3: Held(7, 12)})
    headers = with_own(Reply(200, b""), one).headers
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert read_own(headers) == one
    assert read_own({}) is None
    assert read_own({"x-netops-own": "{}"}) is None


def health(*partitions: PartitionHealth, **more: object) -> Health:
    values = {"event_time": "2024-01-02", "devices": 3, "alerts": 1} | more
    return Health("ok", "demo", "v1", None, partitions=list(partitions), **values)


def test_health_is_added_up() -> None:
    owned = [PartitionHealth("t", number, "owned") for number in range(3)]
    waiting = PartitionHealth("t", 1, "waiting")
    other = health(owned[1], event_time="2024-01-01", problems=["disk"], warnings=["w"])
    peers = [Peer("http://b", own("b", {1: 0}), other, ""), Peer("http://c", why="no answer")]
    whole = combined(health(owned[2], owned[0], waiting), own("a", {0: 0, 2: 0}), peers, "t")
    assert (whole.status, whole.devices, whole.alerts, whole.event_time) == ("degraded", 6, 2, "2024-01-01")
    assert [(one.partition, one.status) for one in whole.partitions] == [
        (0, "owned"),
        (1, "owned"),
        (2, "owned"),
        (3, "missing"),
    ]
    assert whole.partitions[3].why == "http://c: no answer"
    assert whole.problems == ["disk", "no process answers for t-3"]
    assert whole.warnings == ["w"]
    assert [(one.url, one.why) for one in whole.peers] == [("http://b", ""), ("http://c", "no answer")]
    alone = combined(health(owned[0], waiting), own("a", {0: 0}, total=2), [], "t")
    assert alone.partitions[1].why == "its previous owner has not released the state"
    everything = combined(health(owned[0]), own("a", {0: 0}, total=1), [], "t")
    assert (everything.status, everything.problems) == ("ok", [])
    unknown = combined(health(event_time=None), own("a", {}, total=None), [], "t")
    assert (unknown.problems, unknown.event_time) == (["no process answers for t-?"], None)
