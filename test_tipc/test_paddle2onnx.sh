#!/usr/bin/env bash
# Convert an exported model to ONNX as a TIPC file says, and compute features with it in ONNX Runtime:
#     bash test_tipc/test_paddle2onnx.sh FILE
# The result lines are in test_tipc/output/<model>/paddle2onnx_infer/results_paddle2onnx.log.
[[ $# -eq 1 || $2 == paddle2onnx_infer ]] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
FILENAME=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 2
source test_tipc/common_func.sh
read_tipc_file "${FILENAME}" paddle2onnx_params 16
value() { func_parser_value "${lines[$1 - 1]}"; }
option() { func_set_params "$(func_parser_key "${lines[$1 - 1]}")" "${2-$(value "$1")}"; }

model_name=$(value 2)
python=$(find_python "$(value 3)") || exit 2
PATH="$(dirname "${python}"):${PATH}"  # paddle2onnx lies beside it
LOG_PATH="${TIPC_OUTPUT:-./test_tipc/output}/${model_name}/paddle2onnx_infer"
model_dir=$(value 5)
model_file=$(value 6)
# PaddlePaddle 3 writes inference.json, PaddlePaddle 2 inference.pdmodel.
[[ -f ${model_dir}/${model_file} || ! -f ${model_dir}/inference.pdmodel ]] || model_file=inference.pdmodel

start_steps "${LOG_PATH}/results_paddle2onnx.log"
rm -f "$(value 8)"  # of an earlier run
run_step "${LOG_PATH}/trans_model.log" "$(value 4) $(option 5) $(option 6 "${model_file}") $(option 7) $(option 8) \
$(option 9) $(option 10)" || finish_steps
if [[ $(value 12) != null ]]; then
    common="${python} $(value 12) -o $(option 14) -o $(option 15) $(option 16)"
    run_step "${LOG_PATH}/paddle2onnx_infer_cpu.log" "cd deploy && ${common} -o $(option 13)" \
        && run_step "${LOG_PATH}/paddle_infer_cpu.log" "cd deploy && ${common}" \
        && run_step "${LOG_PATH}/compare.log" "${python} test_tipc/compare_results.py --features \
${LOG_PATH}/paddle_infer_cpu.log ${LOG_PATH}/paddle2onnx_infer_cpu.log"
fi
finish_steps
