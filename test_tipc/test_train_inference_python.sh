#!/usr/bin/env bash
# Train, evaluate, export and infer as a TIPC file says:
#     bash test_tipc/test_train_inference_python.sh FILE MODE
# MODE: lite_train_lite_infer | lite_train_whole_infer | whole_train_whole_infer | whole_infer | benchmark_train
# The result lines are in test_tipc/output/<model>/<MODE>/results_python.log; exit code 0 if all steps succeeded.
[[ $# -eq 2 ]] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
FILENAME=$(realpath "$1")
MODE=$2
cd "$(dirname "$0")/.." || exit 2
source test_tipc/common_func.sh
case "${MODE}" in
    lite_train_lite_infer | lite_train_whole_infer | whole_train_whole_infer | whole_infer | benchmark_train) ;;
    *) die "unknown mode ${MODE}" ;;
esac

read_tipc_file "${FILENAME}" train_params 54
[[ ${lines[22]} == *eval_params* && ${lines[26]} == *infer_params* ]] \
    || die "${FILENAME}: lines 23 and 27 should be ===eval_params=== and ===infer_params===: a line is missing or too many"
key() { func_parser_key "${lines[$1 - 1]}"; }
value() { func_parser_value "${lines[$1 - 1]}"; }
alternatives() { IFS='|' read -ra "$2" <<< "$(value "$1")"; }
option() { func_set_params "$(key "$1")" "${2-$(value "$1")}"; }

model_name=$(value 2)
python=$(find_python "$(value 3)") || exit 2
alternatives 4 gpu_list
alternatives 5 device_list
alternatives 6 autocast_list
alternatives 15 trainer_list
train_model_name=$(value 11)
eval_py=$(value 24)
inference_py=$(value 40)
LOG_PATH="${TIPC_OUTPUT:-./test_tipc/output}/${model_name}/${MODE}"

case "${MODE}" in
    benchmark_train) epochs=1 ;;
    whole_infer) epochs=0 ;;
    *) epochs=$(func_parser_params "${lines[6]}" "${MODE}")
       [[ ${epochs} =~ ^[0-9]+$ ]] || die "${FILENAME}: line 7 names no epochs for ${MODE}: ${lines[6]}" ;;
esac
# Lines 9 and 13 make a step small; whole_train is the recipe as its config has it.
lite_options="$(option 9) $(option 13)"
[[ ${MODE} == whole_train_* ]] && lite_options=""
case "${MODE}" in  # seen from deploy/
    *lite_infer) images=$(from_deploy "$(value 12)") ;;
    *) images=$(value 48) ;;
esac

# infer MODEL_DIR NAME DEVICE: inference with every combination of lines 41 to 46; on the GPU only if the chain is there.
infer() {
    local use_gpu use_mkldnn threads batch_size use_trt precision common
    local use_gpu_list mkldnn_list threads_list batch_list trt_list precision_list
    alternatives 41 use_gpu_list; alternatives 42 mkldnn_list; alternatives 43 threads_list
    alternatives 44 batch_list; alternatives 45 trt_list; alternatives 46 precision_list
    common="$(option 47 "$(from_deploy "$1")") $(option 48 "${images}") $(option 50) $(option 51)"
    for use_gpu in "${use_gpu_list[@]}"; do for batch_size in "${batch_list[@]}"; do
        if [[ ${use_gpu} == True || ${use_gpu} == gpu ]]; then
            [[ $3 == cpu ]] && { echo " line 41: $(option 41 "${use_gpu}") is left out, line 4 is -1"; continue; }
            for use_trt in "${trt_list[@]}"; do for precision in "${precision_list[@]}"; do
                [[ ${precision} == True && ${use_trt} == False ]] && continue
                predict "infer_gpu_$2_usetrt_${use_trt}_precision_${precision}_batchsize_${batch_size}" \
                    "$(option 41 "${use_gpu}") $(option 45 "${use_trt}") $(option 46 "${precision}")"
            done; done
        else
            for use_mkldnn in "${mkldnn_list[@]}"; do for threads in "${threads_list[@]}"; do
                predict "infer_cpu_$2_usemkldnn_${use_mkldnn}_threads_${threads}_batchsize_${batch_size}" \
                    "$(option 41 "${use_gpu}") $(option 42 "${use_mkldnn}") $(option 43 "${threads}")"
            done; done
        fi
    done; done
}

predict() {
    run_step "${LOG_PATH}/python_$1.log" \
        "cd deploy && ${python} ${inference_py} $2 $(option 44 "${batch_size}") ${common}"
}

# The commands of a trainer: run_train and run_export.
choose_trainer() {
    local line
    run_train=""
    for line in 16 17 18 19 20 21; do
        [[ $(key ${line}) == "$1" ]] && run_train=$(value ${line}) && break
    done
    [[ -n ${run_train} ]] || die "${FILENAME}: line 15 names the trainer $1, which lines 16 to 21 have not"
    case ${line} in
        20) run_export=$(value 30); run_train="$(value 16) ${run_train}" ;;  # options on top of norm_train
        21) run_export=$(value 35) ;;
        *) run_export=$(value $((line + 14))) ;;
    esac
}

# launcher GPUS NAME DEVICE: what stands before the training script.
launcher() {
    local ips="" gpus=$1 workers="--log_dir ${LOG_PATH}/$2_workers"
    [[ ${gpus} == *";"* ]] && { ips="--ips=${gpus%%;*}"; gpus=${gpus#*;}; }  # several machines: ip,ip;0,1
    local -a each
    IFS=',' read -ra each <<< "${gpus}"
    if [[ -z ${ips} && ${#each[@]} -eq 1 ]]; then
        if [[ $3 == gpu ]]; then echo "CUDA_VISIBLE_DEVICES=${gpus} ${python}"; else echo "${python}"; fi
    elif [[ $3 == cpu ]]; then
        echo "${python} -m paddle.distributed.launch ${ips} --nproc_per_node ${#each[@]} ${workers}"
    else
        echo "${python} -m paddle.distributed.launch ${ips} --devices=${gpus} ${workers}"
    fi
}

# Checkpoints lie in the output folder, or in release/2.5 and the 2.4.2 wheel below it under the model's name.
find_weights() {
    local file
    for file in "$1/$2.pdparams" "$1"/*/"$2.pdparams"; do
        [[ -f ${file} ]] && { echo "${file%.pdparams}"; return; }
    done
    echo "$1/$2"
}

# One chain: training, evaluation, export, inference. What follows a failed step would only fail for its sake.
chain() {
    local gpus=$1 device=$2 autocast=$3 trainer=$4 nodes=1 ips weights save
    [[ ${gpus} == *";"* ]] && { IFS=',' read -ra ips <<< "${gpus%%;*}"; nodes=${#ips[@]}; }
    local name="${trainer}_gpus_${gpus//[;.]/_}_autocast_${autocast}_nodes_${nodes}"
    choose_trainer "${trainer}"
    [[ ${run_train} == null ]] && return
    save=${LOG_PATH}/${name}
    rm -rf "${save}" "${save}_workers"  # weights of an earlier run must not pass for those of this one
    run_step "${save}.log" "$(launcher "${gpus}" "${name}" "${device}") ${run_train} $(option 5 "${device}") \
$(option 8 "${save}") $(option 7 "${epochs}") $(option 10) $(func_set_amp_params "$(key 6)" "${autocast}") ${lite_options}" \
        || return
    [[ ${MODE} == benchmark_train ]] && return
    weights=$(find_weights "${save}" "${train_model_name}")
    if [[ ${eval_py} != null ]]; then
        run_step "${save}_eval.log" "${python} ${eval_py} $(option 10 "${weights}") $(option 5 "${device}") \
$(option 8 "${save}") $(option 25)"
    fi
    if [[ ${run_export} != null ]]; then
        run_step "${save}_export.log" "${python} ${run_export} $(option 29 "${weights}") $(option 28 "${save}") \
$(option 5 "${device}") $(option 8 "${save}")" || return
        [[ ${inference_py} == null ]] || infer "${save}" "${name}" "${device}"
    fi
}

start_steps "${LOG_PATH}/results_python.log"
if [[ ${MODE} == whole_infer ]]; then
    model_dir=$(value 37)
    weights=$(func_parser_address "${lines[35]}")  # prepare.sh has brought an address here
    [[ ${weights} == *://* ]] && weights=./test_tipc/pretrained/${weights##*/}
    device=cpu
    [[ ${gpu_list[*]} == -1 ]] || device=${device_list[0]}
    if [[ $(value 38) == True && ${weights} != null ]]; then
        run_step "${LOG_PATH}/export.log" "${python} $(value 30) $(option 29 "${weights%.pdparams}") \
$(option 28 "${model_dir}") $(option 5 "${device}") $(option 8 "${LOG_PATH}")" && infer "${model_dir}" whole "${device}"
    else
        infer "${model_dir}" whole "${device}"
    fi
else
    for index in "${!gpu_list[@]}"; do
        device=${device_list[index]:-${device_list[-1]}}
        [[ ${gpu_list[index]} == -1 ]] && device=cpu
        for autocast in "${autocast_list[@]}"; do for trainer in "${trainer_list[@]}"; do
            chain "${gpu_list[index]}" "${device}" "${autocast}" "${trainer}"
        done; done
    done
fi
finish_steps
