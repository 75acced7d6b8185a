"""Offsets that leave the file, go in circles, or ask for too much are refused before anybody follows them."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from mutations import mutated, truncations
from pocketsr.errors import ModelFileError
from pocketsr.graph.flatbuffer_check import check_flatbuffer
from pocketsr.graph.tflite import model_bytes
from sample_graphs import abpn_like_graph, spec_for

OPTIONS = {schema.BuiltinOptions.Conv2DOptions: "Conv2DOptions", schema.BuiltinOptions.AddOptions: "AddOptions"}
GOLDEN = Path(__file__).parents[1] / "golden"
DATA = model_bytes(abpn_like_graph(channels=2, depth=1, scale=2), spec_for(abpn_like_graph(scale=2)))


def with_word(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


def place_of(data: bytes, slot: int) -> int:
    """Return where the offset in a field of the root table stands."""
    (root,) = struct.unpack_from("<I", data, 0)
    (back,) = struct.unpack_from("<i", data, root)
    (field,) = struct.unpack_from("<H", data, root - back + 4 + 2 * slot)
    return root + field


def test_whole_files_of_every_writer_pass() -> None:
    check_flatbuffer(DATA, OPTIONS)
    for path in sorted(GOLDEN.glob("*.tflite")):
        check_flatbuffer(path.read_bytes(), OPTIONS)


@pytest.mark.parametrize("number", range(20))
def test_a_file_cut_short_is_refused(number: int) -> None:
    with pytest.raises(ModelFileError, match="damaged or cut short"):
        check_flatbuffer(truncations(DATA)[number], OPTIONS)


@pytest.mark.parametrize("value", [0x7FFFFFFF, 0xFFFFFFFF, len(DATA), len(DATA) - 2])
@pytest.mark.parametrize("slot", [1, 2, 3, 4, 6, 7])
def test_an_offset_out_of_the_file_is_refused(slot: int, value: int) -> None:
    with pytest.raises(ModelFileError, match="damaged or cut short"):
        check_flatbuffer(with_word(DATA, place_of(DATA, slot), value), OPTIONS)


@pytest.mark.parametrize("slot", [1, 2, 4, 6])
def test_a_list_that_claims_a_thousand_million_entries_is_refused_at_once(slot: int) -> None:
    at = place_of(DATA, slot)
    (offset,) = struct.unpack_from("<I", DATA, at)
    start = time.perf_counter()
    for count in (1_000_000_000, 0xFFFFFFFF):
        with pytest.raises(ModelFileError, match="damaged or cut short"):
            check_flatbuffer(with_word(DATA, at + offset, count), OPTIONS)
    assert time.perf_counter() - start < 1


def test_many_tables_that_share_one_are_refused_before_they_cost_time() -> None:
    builder = flatbuffers.Builder(1 << 20)
    data = builder.CreateByteVector(bytes(100_000))
    schema.BufferStart(builder)
    schema.BufferAddData(builder, data)
    buffer = schema.BufferEnd(builder)
    builder.StartVector(4, 150_000, 4)
    for _ in range(150_000):
        builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    with pytest.raises(ModelFileError, match="use the same bytes again and again"):
        check_flatbuffer(bytes(builder.Output()), OPTIONS)


@pytest.mark.parametrize(("slot", "words"), [(8, "external buffers"), (9, "external buffers"), (10, "does not know")])
def test_fields_that_nobody_here_reads_are_refused_in_words(slot: int, words: str) -> None:
    builder = flatbuffers.Builder(64)
    text = builder.CreateString("x")
    builder.StartObject(11)
    builder.PrependUOffsetTRelativeSlot(slot, text, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TFL3")
    with pytest.raises(ModelFileError, match=words):
        check_flatbuffer(bytes(builder.Output()), OPTIONS)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**40))
def test_what_passes_can_be_unpacked_by_the_format_s_own_readers(seed: int) -> None:
    data = mutated(DATA, seed)
    try:
        check_flatbuffer(data, {})
    except ModelFileError:
        return
    model = schema.Model.GetRootAs(data, 0)
    for index in range(model.BuffersLength()):
        model.Buffers(index).DataAsNumpy()
    for index in range(model.SubgraphsLength()):
        subgraph = model.Subgraphs(index)
        for tensor in map(subgraph.Tensors, range(subgraph.TensorsLength())):
            tensor.Name()
            tensor.ShapeAsNumpy()
