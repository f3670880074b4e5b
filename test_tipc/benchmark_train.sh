#!/usr/bin/env bash
# Speed of training as a TIPC file says:
#     bash test_tipc/benchmark_train.sh FILE benchmark_train [dynamic_bs64_fp32_DP_N1C4]
# The third argument (batch of all devices, fp32 | amp, machines and devices) replaces lines 9, 6 and 4 of the file.
# BENCHMARK_STEPS (default 20) steps; the figures go to BENCHMARK_LOG_DIR (default test_tipc/output/benchmark).
[[ $# -ge 2 && $2 == benchmark_train ]] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
FILENAME=$(realpath "$1")
PARAMS=$3
cd "$(dirname "$0")/.." || exit 2
source test_tipc/common_func.sh
read_tipc_file "${FILENAME}" train_params 54

# set_line NUMBER VALUE
set_line() { lines[$1 - 1]="$(func_parser_key "${lines[$1 - 1]}"):$2"; }

if [[ -n ${PARAMS} ]]; then
    [[ ${PARAMS} =~ ^dynamic_bs([0-9]+)_(null|fp32|amp)_DP_N1C([0-9]+)$ ]] \
        || die "${PARAMS} should read like dynamic_bs64_fp32_DP_N1C4: one machine, C devices"
    batch_size=${BASH_REMATCH[1]} precision=${BASH_REMATCH[2]/fp32/null} devices=${BASH_REMATCH[3]}
    gpus=$(seq -s, 0 $((devices - 1)))
    [[ ${devices} -eq 1 && $(func_parser_value "${lines[4]}") == cpu ]] && gpus=-1
    set_line 9 "${batch_size}"
    set_line 6 "${precision}"
    set_line 4 "${gpus}"
fi
set_line 13 "${BENCHMARK_STEPS:-20}"  # its key ends in Global.iter_per_epoch
[[ $(func_parser_key "${lines[12]}") == *Global.iter_per_epoch ]] || die "${FILENAME}: line 13 should end in Global.iter_per_epoch:STEPS"
model_name=$(func_parser_value "${lines[1]}")
python=$(find_python "$(func_parser_value "${lines[2]}")") || exit 2
folder=${BENCHMARK_LOG_DIR:-./test_tipc/output/benchmark}
mkdir -p "${folder}"
printf '%s\n' "${lines[@]}" > "${folder}/${model_name}.txt"

TIPC_OUTPUT=${folder} bash test_tipc/test_train_inference_python.sh "${folder}/${model_name}.txt" benchmark_train || exit $?
"${python}" - "${folder}/${model_name}" "${model_name}" <<'END'
import glob, json, os, re, sys
# PaddleClas restarts its averages at the sixth step, so the last line of an epoch is the speed without the start.
for log in sorted(glob.glob(os.path.join(sys.argv[1], "benchmark_train", "*_nodes_*.log"))):
    with open(log) as file:
        found = re.findall(r"\[Train\].*batch_cost: ([\d.]+)s, reader_cost: ([\d.]+), ips: ([\d.]+)", file.read())
    if not found:
        sys.exit(f"error: {log} has no line with ips")
    cost, reader, ips = map(float, found[-1])
    devices = re.search(r"_gpus_([^_]*)", log)[1].count(",") + 1
    print(json.dumps({"model_name": sys.argv[2], "run": os.path.basename(log)[:-4], "devices": devices,
                      "ips": round(ips * devices, 2), "ips_per_device": ips, "batch_cost": cost, "reader_cost": reader,
                      "speed_unit": "samples/s", "steps": len(found)}))
END
