"""What the public client shows: connections, instances, the account."""

from tests.compat.client import Vastai, changed_files
from tests.compat.place import Up


def test_the_client_is_the_published_one_byte_for_byte(vastai: Vastai):
    assert changed_files() == []


def test_connections_are_shown_newest_first_and_without_their_secrets(vastai: Vastai, up: Up):
    assert vastai.raw("show", "connections") == [
        {"id": up.in_parts, "name": "in-parts", "cloud_type": "s3"},
        {"id": up.connection, "name": "store", "cloud_type": "s3"},
    ]
    table = vastai("show", "connections")
    assert (table.code, table.err) == (0, "")
    assert table.rows[:3] == [
        ["#", "ID", "NAME", "Cloud", "Type"],
        ["1", str(up.in_parts), "in-parts", "s3"],
        ["2", str(up.connection), "store", "s3"],
    ]


def test_an_instance_is_shown_whole_and_as_a_table(vastai: Vastai, up: Up):
    row = vastai.row(up.ids["spare"])
    assert row["id"] == up.ids["spare"]
    assert (row["label"], row["actual_status"], row["status_msg"]) == ("spare", "running", "")
    assert row["extra_env"] == {}  # the client makes an object of our list of pairs
    table = vastai("show", "instance", str(up.ids["spare"]))
    assert (table.code, table.err) == (0, "")
    assert table.rows[1][:4] == ["1", str(up.ids["spare"]), "1", "running"]
    assert "spare" in table.rows[1]


def test_an_instance_that_does_not_exist_is_said_so(vastai: Vastai):
    answer = vastai("show", "instance", "999")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "Instance 999 not found or no longer exists.\n"


def test_all_instances_are_shown(vastai: Vastai, up: Up):
    ids = sorted(up.ids.values())
    assert [each["id"] for each in vastai.raw("show", "instances")] == ids
    labels = {str(id): label for label, id in up.ids.items()}
    for words in ([], ["-v"]):
        answer = vastai("show", "instances", *words)
        assert answer.code == 0
        assert "Total: 3 instances" in answer.out
        assert "Labels: box: 1  ·  spare: 1  ·  third: 1" in answer.out
        shown = [row[:3] for row in answer.rows if row[:1] and row[0] in labels]
        assert shown == [[str(id), "running", labels[str(id)]] for id in ids]


def test_instances_come_in_pages(vastai: Vastai, up: Up):
    ids = sorted(up.ids.values())
    table = vastai("show", "instances", "--limit", "1")
    assert [row[0] for row in table.rows if row[:1] and row[0].isdigit()] == [str(ids[0])]
    assert "Fetched Results: 1 – 1 of 3" in table.out
    [token] = [row[-1] for row in table.rows if row[:3] == ["Next", "page", "token:"]]
    shown = []
    while token:
        page = vastai.raw("show", "instances", "--limit", "1", "--next-token", token)
        assert page["total_instances"] == 3
        shown.append([each["id"] for each in page["instances"]])
        token = page["next_token"]
    assert shown == [[ids[1]], [ids[2]]]


def test_instances_are_filtered_and_ordered(vastai: Vastai, up: Up):
    filters = ("--label", "box", "third", "--status", "running", "--order-by", "label desc")
    answer = vastai("show", "instances", "--quiet", *filters)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.split() == [str(up.ids["third"]), str(up.ids["box"])]


def test_the_account_is_shown_without_a_key(vastai: Vastai, up: Up):
    answer = vastai("show", "user")
    assert (answer.code, answer.err) == (0, "")
    assert answer.rows[0][:3] == ["#", "Balance", "Bal."]
    assert answer.rows[1][:2] == ["1", "0.0"]
    assert " default " in answer.out
    assert up.api.key not in answer.out
