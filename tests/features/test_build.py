import numpy as np
import pyarrow.parquet as pq
import pytest

from netops.errors import NetopsError, UsageError
from netops.features import part as part_module
from netops.features.batch import transform
from netops.features.build import build_features
from netops.features.spec import FeatureSpec
from netops.telemetry.dataset import Dataset, matrix_of, rows_of

from .samples import PLAIN, spec_of

SPEC = spec_of()
KINDS = pytest.mark.parametrize("spec", [spec_of(statistics=PLAIN), SPEC], ids=["plain", "all"])


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@KINDS
def test_features_of_files_are_those_of_arrays(telemetry, tmp_path, spec):
    built = build_features(telemetry, tmp_path / "out", spec, threads=1)
    for before, after in zip(telemetry.tables(), Dataset.open(tmp_path / "out").tables(), strict=True):
        rows = rows_of(before)
        wanted = transform(spec, rows.offsets, rows.timestamps, matrix_of(before, ["m0", "m1"]))
        np.testing.assert_array_equal(matrix_of(after, list(spec.names)), wanted)
        assert after.column_names == ["timestamp", "device", "site", "is_error", *spec.names]
        for key in ("timestamp", "device", "site", "is_error"):
            assert after.column(key).equals(before.column(key))
    assert built.meta.features == spec.to_dict()
    assert (built.meta.samples, built.meta.attributes) == (951, ("site",))
    assert built.incidents().equals(telemetry.incidents())


@KINDS
def test_threads_and_repetition_do_not_change_a_byte(telemetry, tmp_path, spec):
    build_features(telemetry, tmp_path / "one", spec, threads=1)
    for threads in (2, 7):
        build_features(telemetry, tmp_path / "more", spec, threads=threads)
        assert content(tmp_path / "one") == content(tmp_path / "more")


@KINDS
@pytest.mark.parametrize("threads", [1, 3])
def test_the_size_of_a_piece_changes_no_value(telemetry, tmp_path, monkeypatch, threads, spec):
    whole = pq.read_table(build_features(telemetry, tmp_path / "one", spec).path)
    monkeypatch.setattr(part_module, "PIECE", 37)
    pieces = pq.read_table(build_features(telemetry, tmp_path / "two", spec, threads=threads).path)
    names = list(spec.names)
    np.testing.assert_array_equal(matrix_of(pieces, names), matrix_of(whole, names))
    assert pieces.drop_columns(names).equals(whole.drop_columns(names))


@KINDS
def test_columns_of_features_have_no_nulls(telemetry, tmp_path, spec):
    [path, *_] = build_features(telemetry, tmp_path / "out", spec).parts
    file = pq.ParquetFile(path)
    assert [field.name for field in file.schema_arrow if not field.nullable] == list(spec.names)
    assert np.isnan(file.read(["m0"]).column(0).to_numpy()).any()


def test_a_column_is_compressed_where_that_shortens_it(telemetry, tmp_path):
    """Whatever its statistic: a mean of counts that are mostly zero is shortened, one of noise is not."""
    path, random = telemetry.parts[0], np.random.default_rng(0)
    table = pq.read_table(path)
    for name, values in (("m0", random.random(len(table))), ("m1", random.random(len(table)) < 0.01)):
        position = table.column_names.index(name)
        table = table.set_column(position, name, [values.astype(np.float64)])
    pq.write_table(table, path)
    spec = spec_of(statistics=PLAIN)
    [built, *_] = build_features(telemetry, tmp_path / "out", spec).parts
    group = pq.ParquetFile(built).metadata.row_group(0)
    chunks = [group.column(i) for i in range(group.num_columns)]
    plain = {chunk.path_in_schema for chunk in chunks if chunk.compression == "UNCOMPRESSED"}
    names = {name for name in spec.names if name.startswith("m0_") and ("mean" in name or "std" in name)}
    assert names <= plain
    assert not [name for name in plain if name.startswith("m1") and "last_change" not in name]


def test_what_was_there_is_replaced(telemetry, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("part-00009.parquet", ".part-00001.parquet.77.tmp", "_meta.json"):
        (out / name).write_text("old")
    build_features(telemetry, out, SPEC)
    assert list(content(out)) == [
        "_incidents.parquet", "_meta.json", "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"
    ]  # fmt: skip


def test_progress_counts_samples(telemetry, tmp_path):
    reports = []
    build_features(telemetry, tmp_path / "out", SPEC, progress=lambda *what: reports.append(what))
    assert reports[-1] == (951, 951, "features")


def test_a_missing_metric_is_refused_and_leaves_nothing(telemetry, tmp_path):
    with pytest.raises(NetopsError, match="metric 'm2' is missing; existing metrics: m0, m1"):
        build_features(telemetry, tmp_path / "out", spec_of(metrics=3))
    assert not (tmp_path / "out").exists()


def test_a_part_without_a_metric_is_refused_and_leaves_nothing(telemetry, tmp_path):
    path = telemetry.parts[2]
    pq.write_table(pq.read_table(path).drop_columns(["m1"]), path)
    with pytest.raises(NetopsError, match=r"part-00002.parquet: metric 'm1' is missing"):
        build_features(telemetry, tmp_path / "out", SPEC)
    assert not list((tmp_path / "out").glob("*"))


def test_rows_out_of_order_are_refused(telemetry, tmp_path):
    path = telemetry.parts[0]
    table = pq.read_table(path)
    pq.write_table(table.take(np.arange(table.num_rows)[::-1]), path)
    with pytest.raises(NetopsError, match=r"part-00000.parquet: row 1: .* sort the samples"):
        build_features(telemetry, tmp_path / "out", SPEC)


def test_the_telemetry_itself_is_never_overwritten(telemetry):
    with pytest.raises(UsageError, match="choose another folder"):
        build_features(telemetry, telemetry.path, SPEC)


def test_columns_that_collide_are_refused(telemetry, tmp_path):
    with pytest.raises(NetopsError, match="metric 'site' is missing"):
        build_features(telemetry, tmp_path / "out", FeatureSpec(("site",), SPEC.windows))
