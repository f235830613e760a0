# SPDX-License-Identifier: MIT OR Apache-2.0
"""Contents of the page of a fleet, from the records of its deployments."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

# States of a site: its words on the page, and their tone, in the order of the verdict.
STATES = {
    "failed": ("failed", "bad"),
    "failed-back": ("failed, rolled back", "bad"),
    "attention": ("needs attention", "bad"),
    "interrupted": ("interrupted", "loud"),
    "in-progress": ("in progress", "loud"),
    "applied": ("applied", "good"),
    "back": ("rolled back", "loud"),
    "staged": ("staged", "still"),
    "not-begun": ("not begun", "still"),
    "unknown": ("not known", "still"),
}
FAILED = ("failed", "failed-back", "attention")

ROLLED_BACK = 10

# Narrowest bar of the time line, in percent.
NARROWEST = 0.6

# Commits that are further apart have no time line in common.
LONGEST_TIMELINE = timedelta(hours=24)


def moment(text):
    """Parse a time of rollup, in UTC and with any number of decimals."""
    seconds, dot, fraction = text.rstrip("Z").partition(".")
    parsed = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return parsed + timedelta(microseconds=int((fraction + "000000")[:6]))


def duration(microseconds):
    """Format a duration with three digits, as rollup does."""
    for unit, size in (("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000)):
        if microseconds >= size:
            value = microseconds / size
            digits = 0 if value >= 100 else 1 if value >= 10 else 2
            return "{0:.{1}f} {2}".format(value, digits, unit)
    return "{0} µs".format(microseconds) if microseconds else "0 s"


def state_of(record, rollup):
    """Return the state of a site, a key of STATES."""
    info, failure = record.get("info"), record.get("failure")
    if failure:
        return "failed-back" if failure.get("exit_code") == ROLLED_BACK else "failed"
    if not info or "state" not in info:
        return "unknown"
    by_deployment = {"needs-attention": "attention", "interrupted": "interrupted", "in-progress": "in-progress"}
    if info["state"] in by_deployment:
        return by_deployment[info["state"]]
    known = (info["applied"] or []) + (info["superseded"] or [])
    if any(one["kb"] == rollup for one in known):
        return "applied"
    if info["state"] == "staged":
        return "staged"
    if any(run["kb"] == rollup and run["state"] == "undone" for run in info["runs"]):
        return "back"
    return "not-begun"


def restarts_of(info):
    """Return the restarts that a person still has to do, in words."""
    servers = {}
    for left in (info or {}).get("pending") or []:
        for action in left["actions"]:
            what = action.get("service") or "computer"
            servers.setdefault(what, set()).add(action["server"])
    return ["{0} on {1}".format(what, ", ".join(sorted(on))) for what, on in sorted(servers.items())]


def newest_attempt(record, rollup):
    """Return the newest attempt of the newest run, if that is a run of the rollup."""
    report = record.get("report")
    if not report or (report["subject"].get("rollup") or {}).get("kb") != rollup:
        return None
    return report["attempts"][-1] if report["attempts"] else None


def outage_of(attempt, unavailable):
    """Return the outage of an attempt in words; it goes on if something is unavailable."""
    if unavailable:
        return "goes on"
    if not attempt or attempt["outcome"] is None or attempt["outage_us"] is None:
        return None
    # Without all of its events, it was at least as long.
    return ("over " if attempt["partial"] else "") + duration(attempt["outage_us"])


def unavailable_on(info):
    """Return what is unavailable because of an open run, and since when, in words."""
    run = info.get("open") or {}
    if not run.get("unavailable"):
        return None
    # A time for people, unlike those of reports.
    since = run.get("unavailable_since")
    return run["unavailable"] + (", since " + since if since else "")


def site(record, rollup):
    """Return a row of the page."""
    state = state_of(record, rollup)
    word, tone = STATES[state]
    info, report = record.get("info") or {}, record.get("report")
    attempt = newest_attempt(record, rollup)
    applied, unavailable = info.get("applied"), unavailable_on(info)
    return dict(
        host=record["host"],
        path=record.get("path", ""),
        state=state,
        word=word,
        tone=tone,
        applied=None if applied is None else ", ".join(one["kb"] for one in applied),
        run=report["run"] if attempt else None,
        ended=report["closed"] and moment(report["closed"]).strftime("%Y-%m-%d %H:%M:%S") if attempt else None,
        outage=outage_of(attempt, unavailable),
        outage_us=(attempt or {}).get("outage_us") or 0,
        unavailable=unavailable,
        restarts=restarts_of(info),
        lagging=info.get("lagging") or [],
        next=info.get("next") or [],
        failure=record.get("failure") or None,
        has_page=bool(report),
    )


def names(sites):
    """Return the names of sites, in one text."""
    return ", ".join(one["host"] for one in sites)


def verdict(sites, rollup):
    """Return the sentence about the fleet, and what is behind it."""
    total = len(sites)
    applied = [one for one in sites if one["state"] == "applied"]
    failed = [one for one in sites if one["state"] in FAILED]
    if failed:
        tone = "bad"
        text = "Stopped by a failure: {0} is applied on {1} of {2} sites".format(rollup, len(applied), total)
    elif len(applied) == total:
        tone, text = "good", "{0} is applied on all {1} sites".format(rollup, total)
    else:
        tone, text = "loud", "{0} is applied on {1} of {2} sites".format(rollup, len(applied), total)
    lines = ["unavailable on {host}: {unavailable}".format(**one) for one in sites if one["unavailable"]]
    if lines:
        tone = "bad"
    for state, (word, _tone) in STATES.items():
        those = [one for one in sites if one["state"] == state]
        if those and len(those) < total:
            lines.append("{0} {1}: {2}".format(len(those), word, names(those)))
        elif those and state != "applied":
            lines.append("all are {0}".format(word))
    longest = max((one for one in sites if not one["unavailable"]), key=lambda one: one["outage_us"], default=None)
    if longest and longest["outage_us"]:
        lines.append("longest outage: {outage} on {host}".format(**longest))
    waiting = [one for one in sites if one["restarts"]]
    if waiting:
        lines.append("restarts pending on {0}".format(names(waiting)))
    return dict(tone=tone, text=text, lines=lines)


def bars_of(record, rollup):
    """Return the parts of the newest attempt as bars, with their times."""
    attempt = newest_attempt(record, rollup)
    if not attempt or not record["report"]["commands"]:
        return []
    begin = moment(record["report"]["commands"][0]["at"])
    bars = []
    for part, word in (("committed", "commit"), ("outage", "outage")):
        span = attempt[part]
        if span:
            since, until = (begin + timedelta(microseconds=span[key]) for key in ("from_us", "to_us"))
            bars.append(dict(part=word, since=since, until=until))
    return bars


def timeline(records, rollup):
    """Return the commits of all sites on one scale, or nothing if they are too far apart."""
    rows = [(record["host"], bars_of(record, rollup)) for record in records]
    spans = [span for _host, bars in rows for span in bars]
    if not spans:
        return None
    begin, end = min(span["since"] for span in spans), max(span["until"] for span in spans)
    if end - begin > LONGEST_TIMELINE or end == begin:
        return None
    drawn = []
    for host, bars in rows:
        for span in bars:
            width = max(100 * (span["until"] - span["since"]) / (end - begin), NARROWEST)
            # A bar that is drawn wider than it is stays within the lane.
            x = min(100 * (span["since"] - begin) / (end - begin), 100 - width)
            span.update(x=round(x, 3), width=round(width, 3))
        commit = next((span for span in bars if span["part"] == "commit"), None)
        drawn.append(
            dict(
                host=host,
                bars=[dict(part=span["part"], x=span["x"], width=span["width"]) for span in bars],
                after=duration((commit["since"] - begin) // timedelta(microseconds=1)) if commit else None,
                took=duration((commit["until"] - commit["since"]) // timedelta(microseconds=1)) if commit else None,
            )
        )
    return dict(
        start=begin.strftime("%Y-%m-%d %H:%M:%S UTC"),
        length=duration((end - begin) // timedelta(microseconds=1)),
        rows=drawn,
    )


def fleet_view(records, rollup):
    """Return what the page of a fleet shows."""
    sites = [site(record, rollup) for record in records]
    return dict(verdict=verdict(sites, rollup), sites=sites, timeline=timeline(records, rollup))


class FilterModule:
    """Filters of the collection."""

    def filters(self):
        """Return the filters by name."""
        return dict(fleet_view=fleet_view)
