# run with: bash on_create.sh
echo "or: . ./lib.sh"
echo loading; . ./read.sh
