#!/usr/bin/env bash
# Put in place what a target of the Makefile needs, and nothing when it is there already.
#
#   scripts/bootstrap.sh tools GOAL...   programs of the system; GOAL is python, demo, humann, strainphlan, kraken2, test,
#                                        cluster or bench
#   scripts/bootstrap.sh python          Python, then .venv from requirements.lock (exact versions, with hashes)
#   scripts/bootstrap.sh humann          HUMAnN in .tools/humann, from requirements-humann.lock, linked into .venv/bin
#
# System tools come from apt as root or through sudo without a password, else from conda, mamba or micromamba with
# envs/tools.yaml into .tools/conda. When neither will do, one message names all that is missing. Once everything is
# in place neither command writes anything or opens a connection.
#
# PYTHON=/path/to/python3 names the interpreter of .venv; by default it is the first suitable one on PATH.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$root"

logs=$root/.tools/log
conda_prefix=$root/.tools/conda
humann=$root/.tools/humann
venv=$root/.venv
# The lock is made for these: every package has a wheel for them, so that no compiler is needed.
pythons=(3.13 3.12 3.11)

# What each goal needs: command, oldest version that will do (0: any), Debian packages, what it is for.
requirements() {
    case $1 in
        python) ;; # no more than every goal needs
        demo)
            echo "bowtie2    2.4   bowtie2                     maps reads (host removal, MetaPhlAn)"
            echo "fastp      0.20  fastp                       trims reads"
            ;;
        strainphlan)
            echo "samtools     0   samtools                    sorts alignments (StrainPhlAn)"
            echo "bzip2        0   bzip2                       unpacks alignments (StrainPhlAn)"
            echo "blastn       0   ncbi-blast+                 finds markers (StrainPhlAn)"
            echo "mafft        0   mafft                       aligns markers (StrainPhlAn)"
            echo "raxmlHPC     0   raxml                       makes trees (StrainPhlAn)"
            ;;
        humann)
            echo "diamond   0.9.36 diamond-aligner             aligns proteins (HUMAnN)"
            echo "glpsol       0   glpk-utils                  finds pathways (HUMAnN)"
            ;;
        kraken2)
            echo "kraken2    2.1   kraken2                     classifies reads (profiler: kraken2)"
            ;;
        test)
            requirements demo
            requirements kraken2
            requirements humann
            requirements strainphlan
            echo "chromium     0   chromium                    opens the report in a test"
            echo "chromedriver 0   chromium-driver             drives chromium"
            ;;
        cluster) # the database without its service: the test starts one of its own
            requirements demo
            requirements humann
            echo "slurmctld    0   slurmctld                   runs the queue (SLURM)"
            echo "slurmd       0   slurmd                      runs the jobs of a node (SLURM)"
            echo "sbatch       0   slurm-client                sends jobs (SLURM)"
            echo "slurmdbd     0   slurmdbd                    keeps the accounts of jobs (SLURM)"
            echo "munged       0   munge                       tells SLURM who is who"
            echo "mariadbd     0   mariadb-server-core         holds the accounts of jobs"
            echo "mariadb      0   mariadb-client-core         talks to that database"
            ;;
        bench)
            requirements demo
            requirements strainphlan
            echo "Rscript      0   r-base-core,r-cran-vegan    compares with R vegan"
            ;;
        *) die "scripts/bootstrap.sh: unknown goal '$1'" ;;
    esac
}

say() { printf '%s\n' "$*"; }
die() {
    printf 'error: %s\n' "$@" >&2
    exit 1
}

# Run a command that takes minutes: its output goes to a log, the terminal gets a sign of life every ten seconds.
child=
trap '[[ -z $child ]] || kill "$child" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
run_logged() {
    local log=$logs/$1 start=$SECONDS next=10 last
    shift
    mkdir -p "$logs"
    "$@" >"$log" 2>&1 </dev/null 9>&- &
    child=$!
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.5
        if ((SECONDS - start >= next)); then
            last=$(tail -n 1 "$log" | tr -d '\r' | cut -c 1-90)
            say "  $((SECONDS - start)) s: $last"
            next=$((SECONDS - start + 10))
        fi
    done
    local code=0
    wait "$child" || code=$?
    child=
    return "$code"
}

# ---------------------------------------------------------------------------------------------------- system tools

# The first number like 1.2 or 1.2.3 that a program says of itself, after the word "version" where it says that.
version_of() {
    local said
    said=$("$1" --version 2>&1 || true)
    said=${said#*version }
    [[ $said =~ [0-9]+(\.[0-9]+)+ ]] && printf '%s' "${BASH_REMATCH[0]}"
}

at_least() { # at_least HAVE WANTED
    [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

vegan_works() { Rscript -e 'stopifnot(requireNamespace("vegan", quietly = TRUE))' >/dev/null 2>&1; }

# Fill `missing` (one line for each thing) and `packages` (Debian's) for the goals given.
look_for_tools() {
    local goal name oldest debian purpose have
    missing=()
    packages=()
    while read -r name oldest debian purpose; do
        if ! command -v "$name" >/dev/null; then
            missing+=("$name, which $purpose")
        elif [[ $oldest != 0 ]] && ! { have=$(version_of "$name") && at_least "$have" "$oldest"; }; then
            missing+=("$name $oldest or newer, which $purpose (found ${have:-one that does not start})")
        elif [[ $name == Rscript ]] && ! vegan_works; then
            missing+=("the R package vegan, to compare with")
        else
            continue
        fi
        mapfile -t -d , -O "${#packages[@]}" packages < <(printf '%s' "$debian")
    done < <(for goal in "$@"; do requirements "$goal"; done | sort -u)
    if ! find_python; then
        missing+=("Python 3.11, 3.12 or 3.13 with venv and pip")
        packages+=(python3 python3-venv)
    elif ! python_makes_environments; then
        missing+=("the venv module of $python")
        packages+=(python3-venv "python$(python_version "$python")-venv")
    fi
}

install_tools() {
    local goal
    for goal in "$@"; do requirements "$goal" >/dev/null; done
    look_for_tools "$@"
    if ((${#missing[@]} == 0)); then
        say "system tools: all there"
        return
    fi
    install_with_apt && look_for_tools "$@"
    ((${#missing[@]} == 0)) || { install_with_conda && look_for_tools "$@"; }
    ((${#missing[@]} == 0)) && return
    {
        say "error: missing, and could not be installed from here:"
        printf '  - %s\n' "${missing[@]}"
        say "Do one of these and run make again:"
        say "  - on Debian or Ubuntu, as an administrator: apt-get install ${packages[*]}"
        say "    (or run 'sudo -v' first: make uses sudo when it asks for no password)"
        say "  - put conda, mamba or micromamba on PATH (the programs are listed in envs/tools.yaml)"
        say "  - install them in your own way and put them on PATH"
        [[ "${missing[*]}" != *chromium* ]] || say "  - make test BROWSER=no leaves out the tests that open the report in a browser"
    } >&2
    exit 1
}

install_with_apt() {
    command -v apt-get >/dev/null || return 1
    local as_root=() known=() package
    if ((user_id != 0)); then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1)
    # Another installation may be under way on a machine that has just started: wait for it.
    local apt=("${as_root[@]}" apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    # Always: the lists of a fresh machine are absent or old, and nothing on disk says reliably how old.
    say "installing system tools: updating the package lists (apt)"
    run_logged apt-update.log "${apt[@]}" update || say "  not all could be updated (see .tools/log/apt-update.log)"
    # On another release the default Python may be too old and a newer one have a package of its own.
    if ! find_python && ! candidate_at_least python3 "${pythons[-1]}"; then
        for package in "${pythons[@]/#/python}"; do
            apt-cache show "$package" >/dev/null 2>&1 && packages+=("$package" "$package-venv") && break
        done
    fi
    for package in "${packages[@]}"; do
        ! apt-cache show "$package" >/dev/null 2>&1 || known+=("$package")
    done
    ((${#known[@]} > 0)) || return 1
    say "installing system tools: ${known[*]} (apt)"
    if ! run_logged apt-install.log "${apt[@]}" install --yes --no-install-recommends "${known[@]}"; then
        say "  apt failed; the end of .tools/log/apt-install.log:"
        tail -n 15 "$logs/apt-install.log" | sed 's/^/  /'
        return 1
    fi
}

candidate_at_least() { # the version apt would install of a package is at least that
    local version
    version=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p')
    [[ $version =~ ^[0-9] ]] && at_least "$version" "$2"
}

install_with_conda() {
    local tool create=()
    for tool in micromamba mamba conda; do
        if command -v "$tool" >/dev/null; then
            case $tool in
                micromamba) create=(micromamba create --yes --prefix "$conda_prefix" --file envs/tools.yaml) ;;
                *) create=("$tool" env create --prefix "$conda_prefix" --file envs/tools.yaml) ;;
            esac
            break
        fi
    done
    ((${#create[@]} > 0)) || return 1
    local stamp=$conda_prefix/.complete key
    key=$(checksum envs/tools.yaml)
    if [[ -f $stamp && $(<"$stamp") == "$key" ]]; then
        return 0 # nothing more to be had from there
    fi
    say "installing system tools: envs/tools.yaml into .tools/conda ($tool)"
    rm -rf -- "$conda_prefix"
    if ! run_logged conda.log "${create[@]}"; then
        say "  $tool failed; the end of .tools/log/conda.log:"
        tail -n 15 "$logs/conda.log" | sed 's/^/  /'
        return 1
    fi
    printf '%s\n' "$key" >"$stamp"
    say "  make finds them; to start them by hand: export PATH=\"$conda_prefix/bin:\$PATH\""
}

# ---------------------------------------------------------------------------------------------------------- Python

checksum() { sha256sum -- "$@" | cut -d ' ' -f 1; }

python_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# Set `python` to the first interpreter that will do: the one named by PYTHON, or one on PATH that is not .venv's own.
find_python() {
    local candidate found path=${PATH//"$venv/bin:"/}
    for candidate in ${PYTHON:+"$PYTHON"} python3 "${pythons[@]/#/python}"; do
        found=$(PATH=$path command -v "$candidate" 2>/dev/null) || continue
        if [[ " ${pythons[*]} " == *" $(python_version "$found") "* ]]; then
            python=$found
            return 0
        fi
        [[ $candidate != "${PYTHON:-}" ]] || die "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13"
    done
    return 1
}

# Debian ships Python without the part that puts pip into a new environment; it is in the package python3-venv.
python_makes_environments() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

install_python() {
    # Set by a person for other work, these would steer pip and Python away from the environment.
    unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV VIRTUAL_ENV
    export PIP_USER=0 PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
    local stamp=$venv/.complete lock=requirements.lock packages_key project_key
    # The place is part of the key because the programs in an environment name it: a moved one does not work.
    packages_key="$(checksum requirements.lock) $("$venv/bin/python" -V 2>/dev/null || true) $venv"
    project_key=$(checksum pyproject.toml)
    local known=()
    [[ ! -f $stamp ]] || mapfile -t known <"$stamp"
    if [[ ${known[0]:-} == "$packages_key" && ${known[1]:-} == "$project_key" ]]; then
        say "Python environment: up to date"
        return
    fi
    if [[ ${known[0]:-} != "$packages_key" ]]; then
        if ! { find_python && python_makes_environments; }; then
            install_tools python
        fi
        say "installing $(grep -c '^[A-Za-z0-9]' requirements.lock) Python packages into .venv ($("$python" -V), requirements.lock)"
        rm -f -- "$stamp"
        "$python" -m venv --clear "$venv"
        install_locked "$venv" "$lock"
        packages_key="$(checksum requirements.lock) $("$venv/bin/python" -V) $venv"
    fi
    say "installing the package microbiome into .venv (editable)"
    run_logged pip-project.log "$venv/bin/python" -m pip install --no-index --no-deps --no-build-isolation --editable . ||
        die "pip failed:" "$(tail -n 15 "$logs/pip-project.log")"
    run_logged pip-check.log "$venv/bin/python" -m pip check || die "the lock is not consistent:" "$(<"$logs/pip-check.log")"
    printf '%s\n' "$packages_key" "$project_key" >"$stamp"
}

# setuptools goes first because a package without a wheel is built with it, and so with the version of the lock, not
# with whatever is newest that day. --no-deps because the lock is complete; `pip check` says so afterwards.
install_locked() { # install_locked ENVIRONMENT LOCK
    local pip=("$1/bin/python" -m pip install --no-deps --require-hashes --progress-bar off)
    local first=$logs/setuptools.lock
    mkdir -p "$logs"
    sed -n '/^setuptools==/,/^[^ ]/{/^setuptools==/p;/^ /p}' "$2" >"$first"
    run_logged pip.log "${pip[@]}" --requirement "$first" &&
        run_logged pip.log "${pip[@]}" --no-build-isolation --use-pep517 --requirement "$2" || {
        say "pip failed; the end of .tools/log/pip.log:" >&2
        tail -n 15 "$logs/pip.log" >&2
        exit 1
    }
}

# HUMAnN reads the version of one MetaPhlAn only, older than the one in .venv: it gets an environment of its own. Its
# programs are linked into .venv/bin, where they are found; its MetaPhlAn is not, and so never takes the other's place.
install_humann() {
    [[ -x $venv/bin/python ]] || die "there is no .venv yet: run scripts/bootstrap.sh python first"
    unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV VIRTUAL_ENV
    export PIP_USER=0 PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
    local lock=requirements-humann.lock stamp=$humann/.complete key program
    key="$(checksum "$lock") $("$venv/bin/python" -V) $humann"
    if [[ -f $stamp && $(<"$stamp") == "$key" ]]; then
        say "HUMAnN environment: up to date"
    else
        say "installing HUMAnN into .tools/humann ($lock)"
        rm -f -- "$stamp"
        "$venv/bin/python" -m venv --clear "$humann"
        install_locked "$humann" "$lock"
        printf '%s\n' "$key" >"$stamp"
    fi
    for program in "$humann"/bin/humann*; do
        [[ $program -ef $venv/bin/${program##*/} ]] || ln -sfn "$program" "$venv/bin/${program##*/}"
    done
}

# ------------------------------------------------------------------------------------------------------------- door

user_id=$(id -u)
PATH=$venv/bin:$conda_prefix/bin:$PATH

# Two runs at once would install into each other's folders.
if command -v flock >/dev/null; then
    mkdir -p .tools
    exec 9>.tools/lock
    flock 9
fi

case ${1:-} in
    tools) shift && install_tools "${@:-demo}" ;;
    python) install_python ;;
    humann) install_humann ;;
    *) die "usage: scripts/bootstrap.sh tools GOAL... | python | humann" ;;
esac
