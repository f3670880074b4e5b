# What the scripts of test_tipc share; sourced. Functions that PaddleClas's common_func.sh has too keep their names and
# meaning, so that its scripts run on these as well.

# Key of "key:value".
func_parser_key() { printf '%s\n' "${1%%:*}"; }

# Value of "key:value"; as in PaddleClas it ends at a second colon.
func_parser_value() {
    [[ $1 == *:* ]] || return 0
    local value="${1#*:}"
    printf '%s\n' "${value%%:*}"
}

# Value of "key:value" with all its colons: an address.
func_parser_address() { printf '%s\n' "${1#*:}"; }

# func_parser_params "key:mode=value|mode=value" MODE. A mode that is not named gets the value of one with the same
# training: lite_train_whole_infer that of lite_train_lite_infer.
func_parser_params() {
    local alternatives entry nearest="" plain
    plain=$(func_parser_value "$1")
    [[ ${plain} == *=* ]] || { printf '%s\n' "${plain}"; return 0; }
    IFS='|' read -ra alternatives <<< "${plain}"
    for entry in "${alternatives[@]}"; do
        [[ ${entry%%=*} == "${2:-}" ]] && { printf '%s\n' "${entry#*=}"; return 0; }
        [[ -z ${nearest} && ${entry%%_train_*} == "${2%%_train_*}" ]] && nearest=${entry#*=}
    done
    printf '%s\n' "${nearest}"
}

# "key=value" for a command line; nothing where either is null.
func_set_params() {
    if [[ $1 == null || -z ${2// /} || $2 == null ]]; then echo " "; else printf '%s=%s\n' "$1" "$2"; fi
}

# The overrides of an entry of line 6: null, amp (O1), fp16 (O2, which ISE refuses by name).
func_set_amp_params() {
    local level
    case "$2" in
        amp) level=O1 ;;
        fp16) level=O2 ;;
        *) echo "-o AMP.use_amp=False"; return 0 ;;
    esac
    echo "-o AMP.use_amp=True -o AMP.scale_loss=128 -o AMP.use_dynamic_loss_scaling=True -o AMP.level=${level}"
}

# status_check EXIT_CODE COMMAND RESULTS_FILE MODEL LOG: PaddleClas's result line, on screen and in RESULTS_FILE.
status_check() {
    local verdict="successfully"
    [[ $1 -eq 0 ]] || verdict="failed"
    echo -e "\033[33m Run ${verdict} with command - $4 - $2 - $5 ! \033[0m" | tee -a "$3"
}

# ---- What PaddleClas's has not ----

die() { echo "error: $*" >&2; exit 2; }

# read_tipc_file FILE HEADING LINES: its lines without the blank ones, in the array `lines` (line n is lines[n-1]).
read_tipc_file() {
    [[ -f $1 ]] || die "there is no TIPC file $1"
    mapfile -t lines < <(tr -d '\r' < "$1" | grep -v '^[[:space:]]*$')
    [[ ${lines[0]} =~ ^=+$2=+$ ]] || die "$1: line 1 should be ===$2===, not ${lines[0]}"
    [[ ${#lines[@]} -ge $3 ]] || die "$1 has ${#lines[@]} lines, not $3: they are known by their position"
}

# The interpreter of line 3; where that has no PaddlePaddle, the one that `make` has set up.
find_python() {
    local candidate
    for candidate in "${TIPC_PYTHON:-$1}" .venv/bin/python; do
        if "${candidate}" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("paddle"))' 2> /dev/null
        then
            [[ ${candidate} == */* ]] && candidate=$(cd "$(dirname "${candidate}")" && pwd)/$(basename "${candidate}")
            printf '%s\n' "${candidate}"
            return 0
        fi
    done
    die "${TIPC_PYTHON:-$1} (line 3) has no PaddlePaddle; activate the environment that has, or name it in TIPC_PYTHON"
}

# As seen from deploy/, where inference runs.
from_deploy() { if [[ $1 == /* ]]; then echo "$1"; else echo "../${1#./}"; fi; }

# run_step LOG COMMAND: runs it, keeps what it prints in LOG, writes the result line and returns the exit code of the
# command itself. Not through a pipe, which an orphan of a killed command would hold open.
run_step() {
    local log=$1 command=$2 status=0
    mkdir -p "$(dirname "${log}")"
    echo " ... ${command}"
    eval "( ${command} )" > "${log}" 2>&1 < /dev/null || status=$?
    STEPS=$((STEPS + 1))
    status_check "${status}" "${command}" "${status_log}" "${model_name}" "${log}"
    if [[ ${status} -ne 0 ]]; then
        FAILURES+=("${log} (exit code ${status})")
        echo " ---- the end of ${log}:"
        tail -n "${TIPC_TAIL:-20}" "${log}"
        echo " ---- exit code ${status}"
    fi
    return "${status}"
}

# Starts the record of a run: results of an earlier one must not pass for its own.
start_steps() {
    status_log=$1
    STEPS=0
    FAILURES=()
    mkdir -p "$(dirname "${status_log}")"
    : > "${status_log}"
    trap 'echo " stopped"; exit 130' INT TERM
}

# The last word: exit code 0 only if something ran and nothing failed.
finish_steps() {
    if [[ ${#FAILURES[@]} -gt 0 ]]; then
        echo " ${#FAILURES[@]} of ${STEPS} steps failed: "
        printf '   %s\n' "${FAILURES[@]}"
        exit 1
    fi
    [[ ${STEPS} -gt 0 ]] || die "nothing was run: all commands of the file are null"
    echo " All ${STEPS} steps ran successfully: ${status_log}"
    exit 0
}
