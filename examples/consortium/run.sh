#!/bin/sh
# A federation from nothing: one coordinator, four holders and an auditor, each in a folder of its own, with the
# commands that their operators type; then the RFM study over it, over separate processes, and the proofs.
#
# usage: examples/consortium/run.sh FOLDER_OF_GLOBAL_ELECTRONICS FOLDER_TO_MAKE [PORT]
#
# FOLDER_OF_GLOBAL_ELECTRONICS holds sales.parquet and exchange_rates.parquet. Needs `cohortium` and `python` on PATH.
# In a real federation every folder is on its owner's machine, files travel by mail, and the fingerprint is read out
# over the telephone: this script stands in for the people, and for nothing else.
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,/^set/p' "$0" | sed 's/^# \{0,1\}//;/^set/d'
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "$1" && pwd)
port=${3:-9443}
mkdir -p "$2"
cd "$2"
step() { printf '\n== %s\n' "$*"; }

running=""
stop_all() {
    for process in $running; do kill "$process" 2>/dev/null || true; done
    for process in $running; do wait "$process" 2>/dev/null || true; done
    running=""
}
trap stop_all EXIT
trap 'exit 143' INT TERM

step "Each holder has its data in a folder of its own"
python "$here/../global_electronics.py" "$data" data --four
holders="online stores-europe stores-overseas stores-usd"
mkdir -p coordinator auditor
for holder in $holders; do mkdir -p "holders/$holder" && mv "data/$holder/"* "holders/$holder/"; done
mv data/study.toml coordinator/study.toml

step "Everybody makes keys where they are used, and the coordinator gets a request of each"
cohortium coordinator init coordinator --federation electronics --address "127.0.0.1:$port"
for holder in $holders; do
    cohortium holder check "holders/$holder/holder.toml" --study coordinator/study.toml >"holders/$holder/check.txt"
    cohortium holder init "holders/$holder" --federation electronics --name "$holder" \
        --lifetime-epsilon 4 --max-holders-per-customer 2 --size-class 50000
done
cohortium auditor init auditor --federation electronics

step "The coordinator publishes a roster; every member compares its fingerprint and accepts it"
cohortium coordinator enrol coordinator holders/*/request.json auditor/request.json
cohortium coordinator publish coordinator
roster=coordinator/rosters/roster-v1.json
# What the members' operators read to each other on the telephone.
told=$(cohortium roster show "$roster" --json | python -c 'import json, sys; print(json.load(sys.stdin)["fingerprint"])')
echo "fingerprint: $told"
for holder in $holders; do
    cohortium holder join "holders/$holder" "$roster" --fingerprint "$told" >"holders/$holder/join.txt"
done
cohortium auditor join auditor "$roster" --fingerprint "$told" >auditor/join.txt

step "The coordinator serves; every holder's node connects to it"
cohortium coordinator serve coordinator >coordinator/serve.log 2>&1 &
running="$running $!"
for holder in $holders; do
    cohortium holder node "holders/$holder" >"holders/$holder/node.log" 2>&1 &
    running="$running $!"
done
waited=0
for holder in $holders; do
    until grep -q " connected$" "holders/$holder/node.log"; do
        waited=$((waited + 1))
        if [ "$waited" -gt 120 ]; then
            echo "the node of $holder does not connect; its log:" >&2
            cat "holders/$holder/node.log" coordinator/serve.log >&2
            exit 1
        fi
        sleep 0.5
    done
done

step "The study"
cohortium study check coordinator/study.toml
cohortium study run coordinator/study.toml --coordinator coordinator

step "Everything is stopped"
stop_all

step "What every member has, and what the ledgers prove"
for holder in $holders; do
    echo "$holder: $(find "holders/$holder/labels" -name '*.csv' | head -n 1)"
    cohortium ledger show "holders/$holder" | tail -n 1
done
cohortium audit verify coordinator holders/*
