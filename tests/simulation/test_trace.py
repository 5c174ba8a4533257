"""Good and bad traces: each fault names the wrong line, and memory stays bounded."""

import gzip
import json
import statistics
import subprocess
import sys
from collections import Counter
from itertools import chain
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UnreadableTrace
from generator.simulation import draws, trace_text
from generator.simulation.trace import MAX_INTERVALS, MAX_TIMES, read_trace
from generator.simulation.workload import Recorded, arrivals
from tests.conftest import ROOT


@pytest.fixture
def trace(tmp_path):
    """Write a trace and return its path."""

    def write(content):
        path = tmp_path / "trace.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def fitted(path):
    """Return the rate and the peak factor of a trace."""
    found = read_trace(path)
    return found.webhooks_per_hour, found.peak_per_hour / found.webhooks_per_hour


@pytest.mark.parametrize(
    ("content", "interval_s", "counts"),
    [
        pytest.param("time\n0\n0.5\n2.25\n", 1, [2, 0, 1], id="seconds"),
        pytest.param("timestamp\n10\n11\n", 1, [1, 1], id="with a header"),
        pytest.param("1767225600000\n1767225601500\n", 1, [1, 1], id="milliseconds"),
        pytest.param("2026-01-01T00:00:00Z\n2026-01-01T00:00:02+00:00\n", 1, [1, 0, 1], id="ISO 8601"),
        pytest.param("# recorded by hand\n\ntime\n\n1\n\n2\n", 1, [1, 1], id="comments and empty lines"),
        pytest.param("\ufefftime\r\n1\r\n2\r\n", 1, [1, 1], id="as Windows writes it"),
        pytest.param("1767225600000000\n1767225601500000\n", 1, [1, 1], id="microseconds"),
        pytest.param("1767225600000000000\n1767225601500000000\n", 1, [1, 1], id="nanoseconds"),
        pytest.param('"time"\n"10.5"\n"11.5"\n', 1, [1, 1], id="in quotation marks"),
        pytest.param("count\n3\n0\n5\n", 60, [3, 0, 5], id="counts per minute"),
        pytest.param("minute,count\n0,3\n60,4\n180,5\n", 60, [3, 4, 0, 5], id="minutes, one of them missing"),
        pytest.param("2026-01-01T00:00,3\n2026-01-01T00:01,5\n", 60, [3, 5], id="ISO 8601 minutes"),
        pytest.param(
            '"time","count"\n"2026-01-01 00:00","3.0"\n"2026-01-01 00:01","5.0"\n', 60, [3, 5], id="as exported"
        ),
        pytest.param("0,3\n59.5,5\n120.7,2\n", 60, [3, 5, 2], id="minutes by a clock that is not exact"),
        pytest.param("0,3\n300,4\n900,5\n", 300, [3, 4, 0, 5], id="five minutes, some missing"),
        pytest.param("0,3\n90,4\n", 90, [3, 4], id="a minute and a half"),
        pytest.param("2026-01-01,3\n2026-01-02,4\n", 86_400, [3, 4], id="days"),
        pytest.param("0,3\n", 60, [3], id="a single minute"),
    ],
)
def test_a_good_trace_is_counted_per_interval(trace, content, interval_s, counts):
    found = read_trace(trace(content))
    assert (found.interval_s, list(found.counts)) == (interval_s, counts)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param("", "it has no rows", id="empty"),
        pytest.param("# nothing\n\n", "it has no rows", id="only comments"),
        pytest.param("timestamp\n", "it has column names but no rows", id="only a header"),
        pytest.param("time\n1\n3\n2\n", "line 4 is 1 s before the previous line", id="unsorted"),
        pytest.param("-1\n2\n", "line 1: -1 is not a time", id="negative"),
        pytest.param("1\nnan\n", "line 2: nan is not a time", id="not a number"),
        pytest.param("1\ninf\n", "line 2: inf is not a time", id="infinite"),
        pytest.param("1\nhello\n", "line 2: 'hello' is not a time", id="words"),
        pytest.param("1\n2,3\n", "line 2: '2,3' is not a time", id="a column too many"),
        pytest.param("0,1\n60\n", "line 2 has 1 column, not 2", id="a column too few"),
        pytest.param("0,1\n0,2\n", "line 2 is not after the previous line", id="the same minute twice"),
        pytest.param("0,1\n1,2\n", "line 2 is less than a minute after the previous line", id="minutes numbered"),
        pytest.param(
            "0,1\n300,1\n600,1\n750,1\n",
            "line 4 is 150 s after the previous line, but lines are 300 s apart",
            id="an uneven distance",
        ),
        pytest.param(
            "".join(f"{row * 60},1\n" for row in range(2000)) + "119990,1\n",
            "line 2001 is less than a minute after the previous line",
            id="an uneven distance, late",
        ),
        pytest.param(
            "".join(f"{row * 300},1\n" for row in range(2000)) + "599760,1\n",
            "line 2001 is 60 s after the previous line, but lines are 300 s apart",
            id="closer rows later",
        ),
        pytest.param(
            "".join(f"{row * 300},5\n" for row in range(50)) + "".join(f"{15_000 + row * 60},1\n" for row in range(60)),
            "line 12 is 300 s after the previous line, but lines are 60 s apart",
            id="five minutes, then one",
        ),
        pytest.param('0,"1\n', "line 1 is not CSV (unexpected end of data)", id="a quotation mark too few"),
        pytest.param("count\n1\n-2\n", "line 3: '-2' is not a count", id="negative count"),
        pytest.param("count\n1.5\n", "line 2: '1.5' is not a count", id="half a webhook"),
        pytest.param("count\n0\n0\n", "it has no webhooks", id="only zeros"),
        pytest.param("time\n5\n5\n5\n", "all its webhooks have the same time", id="a single moment"),
        pytest.param("1\n99999999999\n", "line 2 is more than ten years after the first", id="mixed units"),
        pytest.param(b"\x89PNG\r\n\x1a\n\xff\xfe", "it is not text in UTF-8 or UTF-16", id="binary"),
        pytest.param(b"\0\0\0\0", "line 1 is neither a time nor a count", id="zeros"),
        pytest.param(b"1" * 70_000, "line 1 has more than 65,536 characters", id="one endless line"),
        pytest.param("[" + "1, " * 30_000 + "1]", "it is a JSON array", id="a long array on one line"),
    ],
)
def test_a_bad_trace_is_refused_with_the_wrong_line(trace, content, what):
    path = trace(content)
    with pytest.raises(UnreadableTrace) as refused:
        read_trace(path)
    (fault,) = refused.value.faults
    assert (fault.where, fault.what) == (str(path), what)
    assert fault.remedy


def test_a_missing_trace_and_a_folder_are_refused(tmp_path):
    for path, what in ((tmp_path / "none.csv", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(UnreadableTrace, match=what):
            read_trace(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_trace_or_a_clear_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        found = sum(read_trace(path).counts)
    except UnreadableTrace as error:
        found = len(error.faults)
    assert found > 0


@pytest.mark.slow
def test_many_rows_are_read_in_bounded_memory(tmp_path):
    """60 webhooks in each of 10,000 seconds, with a tenth of the bounds: fewer seconds and times are kept.

    Peak memory is measured in a separate process. All of the times would take 4.8 MB; the bounds leave 0.8 MB of them.
    """
    path, short = tmp_path / "trace.csv", tmp_path / "short.csv"
    path.write_text("time\n" + "".join(f"{second}\n" * 60 for second in range(10_000)))
    short.write_text("time\n0\n1\n3\n")
    script = (
        "import resource, sys; from generator.simulation import trace\n"
        f"trace.MAX_INTERVALS, trace.MAX_TIMES = {MAX_INTERVALS // 10}, {MAX_TIMES // 10}\n"
        "def peak_mb(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "trace.read_trace(sys.argv[2]); before = peak_mb(); found = trace.read_trace(sys.argv[1])\n"
        "print(sum(found.counts), found.interval_s, peak_mb() - before)"
    )
    command = [sys.executable, "-c", script, path, short]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    rows, interval_s, grown_mb = map(float, run.stdout.split())
    assert (rows, interval_s) == (600_000, 2.0)
    assert grown_mb < 2


def test_a_fit_returns_the_rate_and_the_peak_factor(trace):
    assert fitted(trace("count\n" + "10\n" * 29 + "40\n" + "10\n" * 30)) == (630.0, pytest.approx(40 * 60 / 630))


def test_a_fit_of_seconds_counts_whole_minutes(trace):
    """One webhook a second for two minutes, then three a second for one minute."""
    times = [str(second) for second in range(120)] + [str(120 + third / 3) for third in range(180)]
    assert fitted(trace("time\n" + "\n".join(times))) == (6000.0, pytest.approx(180 / 100))


@pytest.mark.slow
def test_the_peak_factor_of_steady_traffic_is_too_high_as_documented(trace):
    """One hour of Poisson arrivals at a constant rate: 100 a minute and 10 a minute."""
    factors = {}
    for mean in (100, 10):
        found = []
        for seed in range(40):
            gap = draws.exponential(draws.random_stream(seed, 0, "fit"), 60 / mean)
            times, now = [], 0.0
            while (now := now + gap()) < 3600:
                times.append(f"{now:.3f}")
            found.append(fitted(trace("time\n" + "\n".join(times)))[1])
        factors[mean] = sum(found) / len(found)
    assert factors == {100: pytest.approx(1.3, abs=0.05), 10: pytest.approx(2.0, abs=0.15)}


def test_a_trace_shorter_than_a_minute_has_a_peak_factor_of_1(trace):
    assert fitted(trace("time\n0\n1\n2\n")) == (3600.0, 1.0)


def test_a_long_trace_is_kept_in_longer_intervals(trace):
    found = read_trace(trace(f"time\n0\n{MAX_INTERVALS * 3}\n"))
    assert (found.interval_s, len(found.counts) <= MAX_INTERVALS, sum(found.counts)) == (4.0, True, 2)


@pytest.mark.parametrize("begins_s", [600, 630], ids=["on a whole minute", "half a minute later"])
def test_a_fit_finds_a_busiest_minute_that_begins_at_any_second(trace, begins_s):
    """One webhook a second for an hour, and ten more a second in one minute of it."""
    steady = [float(second) for second in range(3600)]
    burst = [begins_s + tenth / 10 for tenth in range(600)]
    rate, factor = fitted(trace("time\n" + "\n".join(f"{time:.1f}" for time in sorted(steady + burst))))
    assert (rate, factor) == (4200.0, pytest.approx(660 / 70))


@pytest.mark.slow
def test_a_fit_of_a_long_trace_still_finds_its_busiest_minute(trace):
    """Three months of minutes, more than are kept separately."""
    minutes = ["100"] * 130_000
    minutes[77_777] = "2000"
    path = trace("count\n" + "\n".join(minutes))
    assert fitted(path) == (pytest.approx(59 * 100 + 2000), pytest.approx(60 * 2000 / 7900))
    assert read_trace(path).interval_s == 120


@pytest.mark.parametrize("step_s", [300, 3600])
def test_a_fit_of_coarse_counts_uses_their_busiest_interval(trace, step_s):
    """CloudWatch keeps such counts after 15 and after 63 days: steady except for one, which is twice the others."""
    counts = [step_s] * 100
    counts[42] *= 2
    path = trace("time,count\n" + "".join(f"{row * step_s},{count}\n" for row, count in enumerate(counts)))
    rows = 3600 // step_s
    assert fitted(path) == (pytest.approx(3600 * (1 + 1 / rows)), pytest.approx(2 / (1 + 1 / rows)))
    assert read_trace(path).window_s == step_s


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 9000), min_size=2, max_size=60))
def test_the_rate_is_that_of_the_busiest_hour(tmp_path_factory, gathered):
    """Compare with the hours that begin at the second of each webhook, counted one by one."""
    times = sorted(round(time_s, 2) for time_s in [0.0, *gathered, 9000.0])
    path = tmp_path_factory.getbasetemp() / "hours.csv"
    path.write_text("time\n" + "\n".join(f"{time_s:.2f}" for time_s in times))
    ends = [int(time_s) + 1 for time_s in times]
    assert read_trace(path).webhooks_per_hour == max(
        sum(end_s - 3600 <= time_s < end_s for time_s in times) for end_s in ends
    )


def test_the_hour_of_counts_has_whole_rows(trace):
    """Two rows of 25 minutes are the longest time up to an hour."""
    path = trace("time,count\n" + "".join(f"{row * 1500},{count}\n" for row, count in enumerate((10, 50, 70, 10))))
    assert read_trace(path).webhooks_per_hour == pytest.approx(120 * 3600 / 3000)


def test_a_recording_of_at_most_an_hour_has_its_mean_rate(trace):
    assert read_trace(trace("count\n" + "10\n" * 20 + "40\n" * 10)).webhooks_per_hour == 1200


METADATA = "Full label,Count\nLabel,Count\nAccount ID,111122223333\nRegion,us-east-1\nPeriod,60\nStatistic,Sum\n"


@pytest.mark.parametrize(
    ("lines", "encoding"),
    [
        pytest.param(METADATA + "{date} {clock},{count}\n", "utf-8", id="CloudWatch console"),
        pytest.param(METADATA.replace("\n", "\r\n") + "{date} {clock},{count}\n", "utf-8-sig", id="on Windows"),
        pytest.param("timestamp,value\n{date} {clock},{count}\n", "utf-8", id="dates with slashes"),
        pytest.param("@timestamp,Count\n{date}T{clock}Z,{count}\n", "utf-8", id="slashes with a zone"),
        pytest.param('"Time";"Requests"\n"{date} {clock}";{count}\n', "utf-8", id="semicolons"),
        pytest.param("Time\tRequests\n{date} {clock}\t{count}\n", "utf-8", id="tabs"),
        pytest.param("time,count\n{date}T{clock}+02:00,{count}\n", "utf-16", id="PowerShell"),
        pytest.param("Sum\n{count}\n", "utf-8", id="a column named Sum"),
        pytest.param("Invocations\n{count}\n", "utf-16", id="a column named Invocations"),
        pytest.param("requests\n{count}\n", "utf-8", id="a column named requests"),
    ],
)
def test_exports_of_common_tools_are_read(trace, lines, encoding):
    *header, row = lines.splitlines(keepends=True)
    counts = [600] * 30 + [1800] + [600] * 29
    rows = [
        row.format(date="2026/01/01", clock=f"00:{minute:02}:00", count=count) for minute, count in enumerate(counts)
    ]
    found = read_trace(trace("".join([*header, *rows]).encode(encoding)))
    assert (found.webhooks_per_hour, found.interval_s, list(found.counts)) == (37_200, 60, counts)


@pytest.mark.parametrize(
    "content",
    [
        *("500\n537\n574\n520\n", "500\n503\n506\n", "0\n1\n2\n", "trades\n500\n503\n", "500.0\n503.0\n", " 7\n 9\n"),
        *("71.429\n71.857\n", "rate\n71.429\n71.857\n", "Average\n8.333\n8.383\n"),
    ],
)
def test_a_lone_column_of_numbers_needs_a_name(trace, content):
    """Growing counts would pass for seconds: one webhook in each row, at a wrong rate."""
    with pytest.raises(UnreadableTrace, match="which may be times or counts; name the column in the first line"):
        read_trace(trace(content))


def test_an_hour_that_repeats_is_explained(trace):
    minutes = [f"2025-10-26 02:{minute:02}:00,600\n" for minute in range(60)]
    with pytest.raises(
        UnreadableTrace, match=r"line 62 is not after .* at the end of daylight saving time, write UTC or an offset"
    ):
        read_trace(trace("time,count\n" + "".join(minutes * 2)))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('"@timestamp",message\n"Jan 1, 2026 @ 00:00:0{s}.250","POST, ok"\n', id="Kibana's Discover"),
        pytest.param("@timestamp,@message\n2026-01-01 00:00:0{s}.250,START\n", id="Logs Insights"),
        pytest.param("time,price\n176722560{s}.25,61000.5\n", id="prices"),
        pytest.param("when,symbol\n2026-01-01T00:00:0{s}+0100,BTC\n", id="symbols"),
        pytest.param("response_time_ms,timestamp,status\n1{s},2026-01-01T00:00:0{s}Z,200\n", id="response times"),
        pytest.param("time,status,size\n2026-01-01T00:00:0{s}Z,200,17\n", id="whole numbers"),
        pytest.param("176722560{s}.25,POST\n", id="no header"),
        pytest.param('{{"time": 176722560{s}.25, "value": 61000, "symbol": "BTC"}}\n', id="a log of values"),
        pytest.param("time,symbol,value\n176722560{s}.25,BTC,61000\n", id="a table of values"),
        pytest.param("176722560{s}.25,176722560{s}.75\n", id="start and end"),
        pytest.param("id,region,time\n7,eu,176722560{s}.25\n", id="names of CloudWatch's metadata"),
    ],
)
def test_a_column_that_is_not_named_as_a_count_is_none(trace, content):
    *header, row = content.splitlines(keepends=True)
    found = read_trace(trace("".join([*header, *(row.format(s=second) for second in (0, 0, 2))])))
    assert (list(found.counts), found.is_counted) == ([2, 0, 1], False)


MINUTES = [1767225600 + 60 * minute for minute in range(5)]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("time,open,high,low,close,volume\n{time},1,3,0.5,2,5\n", "it has klines, but no column of counts"),
        ('{{"time": {time}, "o": 1, "h": 3, "l": 0.5, "c": 2}}\n', "it has klines, but no column of counts"),
        ("{time},1,3,0.5,2,5.5\n", "its rows look like klines, but no column of counts is known"),
        ("{time},1,3,0.5,2,5.5,{time}\n", "its rows look like klines, but no column of counts is known"),
        ("BTC,{time},1,3,0.5,2,5.5\n", "its rows look like klines, but no column of counts is known"),
        ("{time},0.5,3,1,2,5.5\n", "its rows look like klines, but no column of counts is known"),
        ("time,price\n{time},61000\n", "whole minutes apart, but none of these columns is named as a count: price"),
        ("time,a,b\n{time},61,62\n", "whole minutes apart, but none of these columns is named as a count: a, b"),
        ("Label,A,B\n{time},61,62\n", "it has several metrics: A, B"),
        ("Full label,A,B\nStatistic,Sum,Sum\n{time},61,62\n", "it has several metrics: A, B"),
        ("Full label,Duration\nStatistic,Sum\n{time},61\n", "Duration is no count"),
        ("Label,IteratorAge\n{time},61\n", "IteratorAge is no count"),
        ('{{"time": {time}, "seen": 7}}\n', "but none of these columns is named as a count: seen"),
        ('{{"time": {time}, "hits": 1, "requests": 2}}\n', "it has several columns that may be counts: hits, requests"),
        ("a,b\n1,2\n", "line 2 has no time in its columns a, b"),
    ],
)
def test_intervals_without_a_count_are_not_read_as_webhooks(trace, content, what):
    *header, row = content.splitlines(keepends=True)
    with pytest.raises(UnreadableTrace) as refused:
        read_trace(trace("".join([*header, *(row.format(time=time) for time in MINUTES)])))
    assert what in refused.value.faults[0].what


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ('{{"time": {time}, "open": 1, "high": 2, "low": 1, "close": 2}}', "it has klines, but no column of counts"),
        ('{{"time": {time}, "high": 2, "trades": 7}}', "line 2 is less than a minute after the previous line"),
        ("{time},1,2,1,2,5.5", "its rows look like klines"),
    ],
)
def test_klines_of_a_second_are_not_read_as_webhooks(trace, row, what):
    with pytest.raises(UnreadableTrace, match=what):
        read_trace(trace("\n".join(row.format(time=1767225600 + second) for second in range(5))))


@pytest.mark.parametrize(
    "content",
    [
        '{{"time": {time}, "count": 7}}\n',
        '{{"ts": {time}, "value": 7, "unit": "Count"}}\n',
        "time,webhooks_seen\n{time},7\n",
        '"Time","Invocations prod"\n{time},7\n',
        "{time},7\n",
        "Full label,Duration\nStatistic,Sample count\n{time},7\n",
        "id,time,trades\n1,{time},7\n",
        "time,open,high,low,close,trade_count\n{time},1,3,0.5,2,7\n",
        "Region,us-east-1\nPeriod,60\nStatistic,Sum\n{time},7\n",
    ],
)
def test_a_named_count_is_read(trace, content):
    *header, row = content.splitlines(keepends=True)
    found = read_trace(trace("".join([*header, *(row.format(time=time) for time in MINUTES)])))
    assert (list(found.counts), found.interval_s) == ([7] * 5, 60)


LOGGED = '203.0.113.9 - - [{day}/Jan/2026:00:00:{second:02} +0000] "POST /webhooks HTTP/1.1" 200 17 "-" "relay/1.2"\n'
JSON_LINE = '{{"requestTimeEpoch": "{ms}", "status": "200"}}\n'
TRADE = "{id},64000.10,0.002,128.0002,{us},{us},True\n"
KLINE = "{ms},1,2,0.5,1.5,10.5,{ends},15.75,{count},5.25,7.875,0\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("".join(LOGGED.format(day="01", second=s) for s in (0, 0, 2)), id="combined log"),
        pytest.param("".join(LOGGED.format(day="01", second=s) for s in (0, 2, 0)), id="log a little out of order"),
        pytest.param(
            "".join(JSON_LINE.format(ms=1767225600000 + ms) for ms in (0, 500, 2000)), id="access log as JSON"
        ),
        pytest.param(
            "".join(TRADE.format(id=i, us=1767225600000000 + t) for i, t in enumerate((0, 4, 2_000_000))), id="trades"
        ),
        pytest.param(
            '"@timestamp"\n' + "".join(f'"Jan 1, 2026 @ 00:00:0{s}"\n' for s in ("0.000", "0.250", "2.000")),
            id="Kibana",
        ),
        pytest.param(
            '{"time": "2026-01-01T01:00:00+01:00"}\n{"time": "2026-01-01T00:00:00.5Z"}\n{"time": 1767225602}\n',
            id="JSON lines",
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_logs_and_recordings_of_exchanges_are_read(trace, content, packed):
    data = gzip.compress(content.encode()) if packed else content
    assert list(read_trace(trace(data)).counts) == [2, 0, 1]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            "".join(
                KLINE.format(ms=1767225600000 + 60_000 * m, ends=1767225659999 + 60_000 * m, count=c)
                for m, c in enumerate((3, 0, 5, 1))
            ),
            id="klines",
        ),
        pytest.param(
            json.dumps(
                {
                    "MetricDataResults": [
                        {
                            "Id": "m1",
                            "Label": "Invocations",
                            "Timestamps": [f"2026-01-01T00:0{minute}:00+00:00" for minute in (3, 2, 0)],
                            "Values": [1.0, 5.0, 3.0],
                            "StatusCode": "Complete",
                        }
                    ],
                    "Messages": [],
                },
                indent=4,
            ),
            id="get-metric-data",
        ),
        pytest.param(
            json.dumps(
                {
                    "Label": "Invocations",
                    "Datapoints": [
                        {"Timestamp": f"2026-01-01T00:0{minute}:00Z", "Sum": count, "Unit": "Count"}
                        for minute, count in ((3, 1.0), (2, 5.0), (0, 3.0))
                    ],
                }
            ),
            id="get-metric-statistics",
        ),
    ],
)
def test_counts_of_exchanges_and_of_cloudwatch_are_read(trace, content):
    found = read_trace(trace(content))
    assert (found.interval_s, list(found.counts), found.is_counted) == (60, [3, 0, 5, 1], True)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_export_on_one_line_may_be_long(trace, packed):
    """Two days of minutes, as `aws cloudwatch get-metric-data | jq -c` writes them."""
    times = [f"2026-01-0{day}T{minute // 60:02}:{minute % 60:02}:00+00:00" for day in (1, 2) for minute in range(1440)]
    result = {"Id": "m1", "Label": "Invocations", "Timestamps": times, "Values": [70.0] * len(times)}
    content = json.dumps({"MetricDataResults": [result]}).encode()
    assert len(content) > trace_text.MAX_LINE
    found = read_trace(trace(gzip.compress(content) if packed else content))
    assert (found.webhooks_per_hour, len(found.counts)) == (4200, 2880)


def test_a_gzip_bomb_is_refused(trace, monkeypatch):
    monkeypatch.setattr(trace_text, "MAX_UNPACKED", 1000)
    monkeypatch.setattr(trace_text, "MAX_RATIO", 2)
    with pytest.raises(UnreadableTrace, match="it unpacks to more than 1,"):
        read_trace(trace(gzip.compress(b"time\n" + b"1\n" * 10_000)))


def metric_data(**changed):
    result = {"Id": "m1", "Label": "Invocations", "Timestamps": ["2026-01-01T00:00:00Z"], "Values": [7.0]}
    return json.dumps({"MetricDataResults": [result | changed]})


def test_pages_that_the_aws_cli_joined_are_one_metric(trace):
    """The CLI appends the results of each page; only the last page is complete."""
    first, second = (json.loads(metric_data(StatusCode=code)) for code in ("PartialData", "Complete"))
    second["MetricDataResults"][0]["Timestamps"] = ["2026-01-01T00:01:00Z"]
    joined = {"MetricDataResults": first["MetricDataResults"] + second["MetricDataResults"]}
    assert list(read_trace(trace(json.dumps(joined))).counts) == [7, 7]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param(gzip.compress(b"time\n1\n2\n")[:-9], "it is damaged gzip", id="cut"),
        pytest.param(gzip.compress(b"1" * 99_999), "line 1 has more than 65,536 characters", id="one line"),
        (json.dumps({"MetricDataResults": [], "NextToken": "x"}), "it is one page of several"),
        (metric_data(Label="Duration"), "Duration is no count"),
        (metric_data(Label="AsyncEventAge"), "AsyncEventAge is no count"),
        (metric_data(StatusCode="PartialData"), "m1: it is not complete .its status is PartialData"),
        (metric_data(Values=[]), "m1: it needs as many Timestamps as Values"),
        ('{"a": 1}\n', "line 1 has no time"),
        ("[" * 5000, "it is a JSON array"),
        (METADATA.replace("Sum", "Average") + "2026/01/01 00:00:00,5\n", "line 6: the statistic is Average"),
        ("time,hits,requests\n0,1,2\n60,1,2\n", "it has several columns that may be counts"),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(trace, content, what):
    with pytest.raises(UnreadableTrace, match=what):
        read_trace(trace(content))


def test_the_dispersion_is_the_variance_over_the_mean_of_the_counts(trace):
    """Two webhooks at once every second and a half: 2, 2 and 0 in three seconds."""
    times = [1.5 * (row // 2) for row in range(2 * 240)]
    found = read_trace(trace("time\n" + "".join(f"{time:.3f}\n" for time in times)))
    counts = Counter(int(time) for time in times)
    each = [counts[second] for second in range(int(times[-1]) + 1)]
    assert found.dispersion[1.0] == pytest.approx(statistics.variance(each) / statistics.mean(each))
    assert found.dispersion[60.0] == pytest.approx(0, abs=0.1)


def test_a_recording_with_times_is_played_as_recorded(trace):
    times = [0.25, 0.25, 0.26, 7.5, 7.501, 61.125]
    recorded = Recorded(read_trace(trace("time\n" + "".join(f"{time}\n" for time in times))))
    played = [time for block in arrivals(recorded, Random(1), -10.0) for time in block if time >= 0]
    assert played == pytest.approx([time - 0.25 for time in times])
    thinned = Recorded(recorded.trace, scale=0.5)
    assert set(chain.from_iterable(arrivals(thinned, Random(1), 0.0))) < set(recorded.trace.times)


@pytest.mark.parametrize(
    ("content", "weak"),
    [
        ("count\n" + "200\n" * 60, ["counts hide the bursts within their interval"]),
        ("time\n0\n1\n2\n", ["its times are whole seconds", "it spans only 3 s"]),
        ("time\n0\n1\n170\n", ["its times are whole seconds", "it spans only ", "only 2 webhooks, and chance"]),
        ("time,price\n" + "".join(f"{row}.5,1.5\n" for row in range(3700)), ["its lines are at equal distances"]),
        ("time\n" + "".join(f"{tenth / 10 + tenth % 7 / 100}\n" for tenth in range(36_001)), []),
    ],
)
def test_weak_findings_are_named(trace, content, weak):
    found = read_trace(trace(content)).weaknesses()
    assert len(found) == len(weak)
    assert all(part in one for part, one in zip(weak, found, strict=True))


def test_a_recording_with_too_many_webhooks_is_not_said_to_have_whole_seconds(trace, monkeypatch):
    monkeypatch.setattr("generator.simulation.trace.MAX_TIMES", 2)
    found = read_trace(trace("time\n0.1\n0.22\n0.35\n1.17\n")).weaknesses()
    assert found[0] == (
        "it has more than 2 webhooks, too many to keep their times, so bursts within a second are unknown"
    )
