#!/usr/bin/env bash
# Brings what a run of FILE in MODE needs; nothing is installed unless it is missing:
#     bash test_tipc/prepare.sh FILE MODE
# MODE: lite_train_lite_infer | lite_train_whole_infer | whole_train_whole_infer | whole_infer | paddle2onnx_infer |
#       benchmark_train
# The data of the run is dataset/tipc: a link to a small synthetic set, or to the real one in the whole_train mode.
[[ $# -eq 2 ]] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
FILENAME=$(realpath "$1")
MODE=$2
cd "$(dirname "$0")/.." || exit 2
source test_tipc/common_func.sh
SMALL=dataset/tipc_small
LINK=dataset/tipc

# use_data FOLDER: what dataset/tipc is from now on.
use_data() {
    [[ ! -e ${LINK} || -L ${LINK} ]] || die "${LINK} is a folder, but should be a link of this script: move it away"
    ln -sfn "$(realpath "$1")" "${LINK}"
    echo "data: ${LINK} -> $1"
}

# Crops of tools/make_synthetic.py --identities 24 --test-identities 12 --images-per-identity 6 --cameras 3 --height 64
# --width 32. They are shipped because each version of OpenCV and numpy draws some a little differently, and the recorded
# figures are of these.
small_data() {
    if [[ ! -d ${SMALL} ]]; then
        mkdir -p dataset/.tipc && tar -xf test_tipc/small_set.tar.gz -C dataset/.tipc || die "cannot unpack the crops"
        mv dataset/.tipc/tipc_small "${SMALL}" && rmdir dataset/.tipc
    fi
    use_data "${SMALL}"
}

# The set that the config of line 16 names; the synthetic one is drawn, the others have licences and no open address.
whole_data() {
    local config root
    config=$(sed -n 's/.* -c \([^ ]*\).*/\1/p' <<< " ${lines[15]}")
    root=$("${python}" -c 'import sys, yaml; print(yaml.safe_load(open(sys.argv[1]))["Global"]["image_root"])' "${config}") \
        || die "line 16 names no config with a Global.image_root: ${lines[15]}"
    if [[ ${root} == ./dataset/synthetic ]]; then
        "${python}" tools/make_synthetic.py --root "${root}" || exit 1
    fi
    [[ -d ${root} ]] || die "${root} (Global.image_root of ${config}) is not there: put the data set in it"
    use_data "${root}"
}

# fetch ADDRESS: weights to test_tipc/pretrained.
fetch() {
    local target=test_tipc/pretrained/${1##*/}
    [[ -f ${target} ]] && return
    mkdir -p test_tipc/pretrained
    "${python}" -c 'import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=60) as source, open(sys.argv[2], "wb") as target:
    shutil.copyfileobj(source, target)' "$1" "${target}.part" && mv "${target}.part" "${target}" || die "cannot fetch $1"
}

# trained_model FOLDER FILE: an exported model; where there is none yet, that of the lite chain of FILE.
trained_model() {
    compgen -G "$1/inference.pdiparams" > /dev/null && return
    echo "there is no model in $1 yet: lite_train_lite_infer makes one"
    bash test_tipc/prepare.sh "$2" lite_train_lite_infer \
        && bash test_tipc/test_train_inference_python.sh "$2" lite_train_lite_infer || exit 1
    [[ -f $1/inference.pdiparams ]] || die "lite_train_lite_infer of $2 leaves no $1/inference.pdiparams"
}

heading=train_params; length=54
[[ ${MODE} == paddle2onnx_infer ]] && { heading=paddle2onnx_params; length=16; }
read_tipc_file "${FILENAME}" "${heading}" "${length}"
python=$(find_python "$(func_parser_value "${lines[2]}")") || exit 2
"${python}" -c 'import ppcls_ise; ppcls_ise.register()' > /dev/null || exit 1  # says what is missing and the way out

case "${MODE}" in
    lite_train_lite_infer | lite_train_whole_infer | benchmark_train) small_data ;;
    whole_train_whole_infer) whole_data ;;
    whole_infer)
        small_data
        weights=$(func_parser_address "${lines[35]}")
        if [[ ${weights} == *://* ]]; then
            fetch "${weights}"
        elif [[ ${weights} == null ]]; then
            trained_model "$(func_parser_value "${lines[36]}")" "${FILENAME}"
        fi ;;
    paddle2onnx_infer)
        small_data
        model_name=$(func_parser_value "${lines[1]}")
        trained_model "$(func_parser_value "${lines[4]}")" "$(dirname "${FILENAME}")/${model_name}_train_infer_python.txt"
        "${python}" -c 'import onnx, onnxruntime, paddle2onnx' 2> /dev/null \
            || "${python}" -m pip install --quiet --editable ".[onnx]" || exit 1 ;;
    *) die "unknown mode ${MODE}" ;;
esac
echo "prepared for ${MODE}"
