#!/bin/bash
./main.sh
bash ./lib/setup.sh
cat > ./made.sh <<EOF
echo
EOF
chmod +x ./made.sh
./made.sh
# ./not_called.sh
