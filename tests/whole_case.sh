#!/bin/sh
# One whole case in this terminal, in Thai: sh tests/whole_case.sh PICTURE
# Says who threatens, answers every question, makes codes of the picture, and asks how it stands.
set -eu
printf '%s\n' \
    'เขาขู่จะปล่อยรูป ถ้าไม่โอนเงินให้' \
    'มีแค่ฉัน' \
    1 1 1 1 \
    "/hash '$1'" \
    1 2 \
    'สถานะ' |
    "${SALA:-sala}" talk --lang th
