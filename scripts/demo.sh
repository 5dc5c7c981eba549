#!/usr/bin/env bash
# The whole path on a simulated trial: FASTQ -> profiles -> measures -> report, then the comparison with the truth.
#
#   scripts/demo.sh CORES
#
# Run through `make demo`, which installs what is needed. Everything happens in demo/, so that it never meets a real trial
# that runs in the checkout. A second run finds everything done and only compares again.
set -euo pipefail

cores=${1:-$(nproc)}
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
mkdir -p "$root/demo"
cd -- "$root/demo"
start=$SECONDS

# Held by whatever this starts, too: as long as a job of an earlier run is alive, its files are not touched.
exec 9>lock
if ! flock -n 9; then
    echo "error: another 'make demo' is running in this folder; wait for it, or stop it" >&2
    exit 1
fi

# The trial is simulated again when the simulator has changed. A simulation that was stopped half-way leaves no stamp.
key=$(find ../microbiome/simulate -type f -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
stamp=trial.complete
if [[ -f $stamp && $(<"$stamp") == "$key" ]]; then
    echo "demo 1/3: the simulated trial is in demo/trial already"
else
    echo "demo 1/3: simulating a trial with known truth in demo/trial"
    rm -rf trial results .snakemake "$stamp"
    microbiome simulate --output trial --reads --function --seed 1
    printf '%s\n' "$key" >"$stamp"
fi

echo "demo 2/3: from FASTQ to the report with Snakemake on $cores cores, in demo/results"
workflow=(snakemake --snakefile ../Snakefile --workflow-profile ../profiles/default --cores "$cores" --configfile trial/config.yaml)
if [[ -n $(find .snakemake/locks -type f 2>/dev/null) ]]; then
    echo "  an earlier run was killed: what it left half-written is made again"
    "${workflow[@]}" --unlock
fi
"${workflow[@]}"

echo "demo 3/3: comparing the results with the truth"
code=0
microbiome accuracy --truth trial/truth --profile results/profiles/merged.tsv --outcomes results/outcomes/outcomes.tsv \
    --output accuracy.tsv || code=$?
# Of the genes of the rarest taxa there are too few reads: these functions are missed.
microbiome accuracy --truth trial/truth --functions --profile results/function/ec.tsv \
    --outcomes results/function/outcomes_ec.tsv --min-f1 0.95 --max-bray-curtis 0.15 --min-outcomes 0.9 \
    --output accuracy_ec.tsv || code=$?

echo "demo: finished after $((SECONDS - start)) s"
echo "  report    demo/results/report.html"
echo "  tables    demo/results"
echo "  accuracy  demo/accuracy.tsv, demo/accuracy_ec.tsv (sample by sample)"
exit "$code"
