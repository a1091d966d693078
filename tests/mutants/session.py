#!/usr/bin/env python3
"""Shows that the tests of the MQTT session have teeth: breaks it in one place at a time and expects them to fail.

Each mutant is run against the seeded simulation alone (2000 schedules), against the conformance scripts alone, which
name the statements that notice, or against the unit tests. Builds outside the tree with the system's C++ compiler.
Prints one line a mutant; exits 1 if any survives. Run: tests/mutants/session.py [SUITE or NAME...]
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FLAGS = ["-std=c++23", "-O1", "-w", "-DNDEBUG", f'-DMQB_SOURCE_DIR="{ROOT}"']

RECEIVE, PUBLISH, RESTORE = "session_receive.cpp", "session_publish.cpp", "session_restore.cpp"
SESSION, TIME, INBOUND = "session.cpp", "session_time.cpp", "inbound.cpp"

# name, file, what stands there exactly once, what the mutant has instead
SIMULATION = [
    ("resent-without-dup", PUBLISH, "Publish{.dup = slot.attempted && has_qos(slot),", "Publish{.dup = false,"),
    ("restored-without-dup", PUBLISH, "packet.dup = slot.attempted;", "packet.dup = false;"),
    ("pubrel-not-sent-again", SESSION, "next_release = releases.head();", "next_release = 0;"),
    ("publish-sent-again-before-pubrel-is-forgotten", RECEIVE, "slot.state = Slot::State::releasing;\n  slot.staged",
     "slot.state = Slot::State::publishing;\n  slot.staged"),
    ("resent-messages-overtaken", SESSION, "pipelining = options.pipeline && !authenticating && nothing_to_resend;",
     "pipelining = options.pipeline && !authenticating;"),
    ("restored-in-order-of-identifiers", RESTORE, "slot.order = record_order;", "slot.order = key.packet_id;"),
    ("order-begins-anew-after-a-restart", RESTORE, "order = std::max(order, record_order);", ""),
    ("inbound-identifier-not-kept-over-connections", INBOUND,
     "for (TakenId& id : taken_.first(taken_count_)) id.counted = false;", "taken_count_ = 0;"),
    ("inbound-identifier-not-recorded", RESTORE,
     "return persistence == nullptr || persistence->put({RecordKey::Kind::inbound, packet_id}, {});", "return true;"),
    ("inbound-identifier-forgotten-with-pubrec", RECEIVE, "owed->acknowledged = true;\n",
     "owed->acknowledged = true;\n  inbound.forget(owed->packet_id);\n"),
    ("inbound-identifiers-survive-the-session", RESTORE, "  inbound.clear();\n", ""),
    ("duplicate-is-delivered", RECEIVE, "      deliver = false;\n      owed.acknowledged = true;",
     "      owed.acknowledged = true;"),
    ("identifier-free-with-pubrec", RECEIVE, "  begin_release(*slot, now);\n",
     "  stage_ack(PacketType::pubrel, slot->id, ReasonCode::success, now);\n"
     "  out_event = complete(*slot, packet.reason, packet.properties);\n"),
    ("receive-maximum-ignored", PUBLISH, "return std::min(config.send_window, negotiated.receive_maximum);",
     "return config.send_window;"),
    ("window-not-given-back-by-a-lost-connection", SESSION, "window_used = receive_quota_used = 0;",
     "receive_quota_used = 0;"),
    ("our-receive-maximum-not-given-back", RECEIVE, "    if (taken->counted) --receive_quota_used;\n", ""),
    ("pubrel-in-order-of-publish", PUBLISH, "  while (next_release != 0) {\n    Slot& slot",
     "  while (false) {\n    Slot& slot"),
    ("aliases-outlive-their-connection", "topic_aliases.hpp", "    uses_ = 0;\n", "    if (uses_ != 0) return;\n"),
    ("pubrel-may-wait", PUBLISH, "appended(now, type == PacketType::pubrel);", "appended(now, false);"),
    ("answers-are-urgent", PUBLISH, "appended(now, type == PacketType::pubrel);", "appended(now, true);"),
    ("publish-not-recorded", RESTORE, "  return persistence->put({RecordKey::Kind::outgoing, slot.id}, pieces);",
     "  return true;"),
    ("pubrel-not-recorded", RESTORE, "  return persistence->put({RecordKey::Kind::outgoing, id}, pieces);",
     "  return true;"),
    ("automatic-acknowledgement-lost-with-the-store", RECEIVE, "if (settled) automatic_ack = {};",
     "automatic_ack = {};"),
    ("acknowledged-in-any-order", RECEIVE, "while (!inbound.empty() && inbound.front().acknowledged) {",
     "while (!inbound.empty()) {"),
    ("lost-session-is-silent", RESTORE, "if (lost.republished + lost.failed != 0) lost_due = lost;", ""),
    ("failed-with-the-session-and-sent-all-the-same", RESTORE,
     "report_failure(slot, mqtt::Failure::session_lost);\n    }\n  }",
     "to_reports(slot);\n    }\n  }"),
    ("queued-qos0-is-lost", PUBLISH, "  publishes.append(slots, id);\n",
     "  if (has_qos(slot)) publishes.append(slots, id);\n"),
]

CONFORMANCE = [
    ("dup-never-set", PUBLISH, "Publish{.dup = slot.attempted && has_qos(slot),", "Publish{.dup = false,"),
    ("dup-always-set", PUBLISH, "Publish{.dup = slot.attempted && has_qos(slot),", "Publish{.dup = has_qos(slot),"),
    ("dup-on-qos0-accepted", "fields.hpp", "c.require(p.qos != QoS::at_most_once || !p.dup, Violation::dup_on_qos0);",
     ""),
    ("qos3-accepted", "decoder.cpp", "if (!flags.qos_ok) return Violation::qos;", ""),
    ("reserved-flags-ignored", "decoder.cpp", "if ((first & 0x0F) != reserved_bits(type)) return", "if (false) return"),
    ("null-in-text-accepted", "text.cpp", "!= nullptr ? Violation::utf8_null : Violation::none",
     "!= nullptr ? Violation::none : Violation::none"),
    ("broken-utf8-accepted", "text.cpp", "if (!is_utf8(text)) return Violation::utf8;", ""),
    ("wildcard-in-a-topic-name", "text.cpp",
     "return topic.find_first_of(\"+#\") == std::string_view::npos &&\n         check_text",
     "return check_text"),
    ("empty-topic-accepted", "text.cpp", "if (topic.empty() || topic.size() > 0xFFFF) return false;",
     "if (topic.empty()) return true;"),
    ("shared-group-without-a-name", "text.cpp", "return !group.empty() && !last &&", "return !last &&"),
    ("overlong-integers-accepted", "framer.cpp", "|| (wire_.v5() && length.overlong())", ""),
    ("first-packet-need-not-be-connack", RECEIVE, "if (phase == Phase::connecting && !opening) return",
     "if (false) return"),
    ("second-connack-accepted", RECEIVE,
     "if (phase == Phase::connected) return violated(Violation::second_connack, now), true;",
     ""),
    ("session-present-after-clean-start", RECEIVE, "if (packet.session_present && clean_start) return",
     "if (false) return"),
    ("unknown-session-adopted", RECEIVE, "if (packet.session_present && !has_session && !adopt_session",
     "if (false && !adopt_session"),
    ("gone-session-goes-on", RECEIVE, "if (!packet.session_present && !clean_start) session_lost();", ""),
    ("clean-start-keeps-the-session", SESSION, "if (clean_start) session_lost();", ""),
    ("client-id-missing-without-clean-session", SESSION,
     "if (options.client_id.empty() && !options.clean_start && !v5) return",
     "if (false) return"),
    ("password-without-user-name", SESSION, "|| (!v5 && !options.user_name)", ""),
    ("servers-keep-alive-ignored", RECEIVE, "negotiated.keep_alive_s = number16;", ""),
    ("no-ping", TIME, "due = last_sent + Millis{negotiated.keep_alive_s * 750};", "due = kNever;"),
    ("maximum-qos-ignored", PUBLISH, "if (qos > negotiated.maximum_qos || (retain", "if ((retain"),
    ("retain-not-available-ignored", PUBLISH, "|| (retain && !negotiated.retain)", ""),
    ("maximum-packet-size-ignored", PUBLISH, "if (packet_bytes > negotiated.maximum_packet_bytes) return",
     "if (false) return"),
    ("receive-maximum-ignored", PUBLISH, "return std::min(config.send_window, negotiated.receive_maximum);",
     "return config.send_window;"),
    ("alias-without-permission", RECEIVE, "aliases_out.reset(negotiated.topic_alias_maximum);",
     "aliases_out.reset(9);"),
    ("inbound-alias-outlives-its-connection", SESSION, "aliases_in.reset(limits.topic_aliases_in);",
     "if (connection == 1) aliases_in.reset(limits.topic_aliases_in);"),
    ("pubrel-with-another-identifier", PUBLISH, "stage_ack(PacketType::pubrel, next_release,",
     "stage_ack(PacketType::pubrel, 1,"),
    ("pubrel-in-order-of-publish", RECEIVE, "slot.order = ++order;\n  releases.append(slots, id);",
     "releases.insert_by_order(slots, id);"),
    ("pubcomp-for-the-unknown-says-success", RECEIVE,
     "taken != nullptr ? ReasonCode::success : ReasonCode::packet_identifier_not_found",
     "ReasonCode::success"),
    ("publish-again-after-pubrel", RECEIVE, "slot.state = Slot::State::releasing;\n  slot.staged",
     "slot.state = Slot::State::publishing;\n  slot.staged"),
    ("refused-message-sent-again", RECEIVE,
     "    out_event = complete(*slot, packet.reason, packet.properties);\n    return true;\n  }\n  begin",
     "    return true;\n  }\n  begin"),
    ("qos2-duplicate-delivered", RECEIVE, "      deliver = false;\n      owed.acknowledged = true;",
     "      owed.acknowledged = true;"),
    ("acknowledged-in-any-order", RECEIVE, "while (!inbound.empty() && inbound.front().acknowledged) {",
     "while (!inbound.empty()) {"),
    ("resent-on-the-same-connection", TIME, "close(CloseCause::response_timeout, ReasonCode::unspecified_error, now);",
     "for (SlotId id = publishes.head(); id != 0; id = slots[id].next) unstage(slots[id]);\n"
     "        next_publish = publishes.head();\n        window_used = 0;\n        clock_floor = now;"),
    ("something-follows-disconnect", SESSION, "  phase = Phase::closing;\n", ""),
    ("suback-of-too-few-codes", RECEIVE, "if (has_codes && packet.reason_codes.size() != slot->filters)", "if (false)"),
    ("unlisted-reason-code-accepted", "decoder.cpp",
     "require(reason_allowed(byte, type_, wire_.flow), Violation::reason_code);",
     ""),
    ("other-authentication-method", SESSION, "      !is_our_method(method)) {", "      false) {"),
    ("auth-without-a-method", SESSION, "if (!in_use() || !wire_out.v5() || !authenticating)",
     "if (!in_use() || !wire_out.v5())"),
    ("operations-before-the-end-of-authentication", SESSION, "options.pipeline && !authenticating && nothing",
     "options.pipeline && nothing"),
    ("no-local-on-a-shared-subscription", PUBLISH, "if (shared_no_local || item", "if (item"),
]

# What neither notices, as it takes a store that fails or bytes of the tests' own.
UNIT = [
    ("pubrel-sent-though-its-record-was-refused", RECEIVE,
     "if (!keep_release(id, order + 1)) return store_failed(now);",
     "if (!keep_release(id, order + 1)) store_failed(now);"),
    ("pubcomp-sent-though-the-record-stays", RECEIVE,
     "if (!forget({RecordKey::Kind::inbound, packet.packet_id})) return true;",
     "forget({RecordKey::Kind::inbound, packet.packet_id});"),
    ("republished-under-dup", RESTORE, "      slot.attempted = false;\n", ""),
    ("flags-of-subscribe-not-set", "fields.hpp", "type == PacketType::subscribe ||", ""),
    ("hash-in-the-middle-of-a-filter", "text.cpp", "if (level == \"#\" && !last) return false;", ""),
]

SUITES = {"simulation": (SIMULATION, "Simulation.NothingIsLost*"),
          "conformance": (CONFORMANCE, "*Conformance.EveryScriptHolds*"),
          "unit": (UNIT, "-Simulation.*:*Conformance*")}


def sources():
    for folder in ("core/base", "core/mqtt", "core/mqtt/testing"):
        for path in sorted((ROOT / "src" / folder).glob("*.cpp")):
            if not path.name.endswith("_test.cpp"):
                yield path.relative_to(ROOT / "src").as_posix()
    for path in sorted((ROOT / "src/core/mqtt").glob("*_test.cpp")):
        yield path.relative_to(ROOT / "src").as_posix()


def compile_source(source, text, build):
    """Compiles `text` in the place of `source` and returns the object file."""
    where = build / source
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text, encoding="utf-8")
    target = where.with_suffix(".o")
    subprocess.run(["c++", *FLAGS, "-I", build, "-I", ROOT / "src", "-I", ROOT / "include", "-c", where, "-o", target],
                   check=True)
    return target


def run(objects, program, tests):
    subprocess.run(["c++", *objects, "-lgmock", "-lgtest", "-lgtest_main", "-pthread", "-o", program], check=True)
    try:
        return subprocess.run([program, f"--gtest_filter={tests}"], capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(program, 1, "  Which is: \"endless\"\n", "")


def who_noticed(output):
    """The statements whose scripts failed, or what the simulation found first."""
    statements = sorted(set(re.findall(r": (MQTT-[\d.]+-\d+)$", output, re.M)))
    found = re.search(r'Which is: "(.+)"', output)
    return ", ".join(statements[:6]) + (" ..." if len(statements) > 6 else "") or (found[1] if found else "assertion")


def text_of(source):
    return (ROOT / "src" / source).read_text(encoding="utf-8")


def mutated(source, before, after):
    text = text_of(source)
    if text.count(before) != 1:
        raise SystemExit(f"{source}: {text.count(before)} places read {before!r}; there must be one")
    return text.replace(before, after)


def main(names):
    known = [(suite, *mutant) for suite, (mutants, _) in SUITES.items() for mutant in mutants]
    wanted = [mutant for mutant in known if not names or mutant[0] in names or mutant[1] in names]
    if not wanted:
        raise SystemExit(f"no such mutant or suite: {', '.join(names)}")
    survivors = 0
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(os.cpu_count()) as pool:
        build = pathlib.Path(directory)
        tasks = {source: pool.submit(compile_source, source, text_of(source), build / "whole") for source in sources()}
        objects = {source: task.result() for source, task in tasks.items()}
        whole = run(objects.values(), build / "tests", "*")
        if whole.returncode != 0:
            raise SystemExit(whole.stdout)

        def attempt(mutant):
            suite, name, file, before, after = mutant
            source = f"core/mqtt/{file}"
            text = mutated(source, before, after)
            if file.endswith(".cpp"):
                changed = {source: compile_source(source, text, build / suite / name)}
            else:
                changed = header(source, text, build / suite / name)
            return mutant, run({**objects, **changed}.values(), build / suite / name / "tests", SUITES[suite][1])

        def header(source, text, place):
            """All that may include it is compiled anew."""
            (place / source).parent.mkdir(parents=True, exist_ok=True)
            (place / source).write_text(text, encoding="utf-8")
            return {other: compile_source(other, text_of(other), place) for other in sources()
                    if other.startswith("core/mqtt/") and not other.endswith("_test.cpp")}

        for (suite, name, *_), done in pool.map(attempt, wanted):
            survived = done.returncode == 0
            survivors += survived
            print(f"{suite} {name}: {'SURVIVED' if survived else 'killed: ' + who_noticed(done.stdout)}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
