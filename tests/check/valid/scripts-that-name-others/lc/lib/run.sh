./lib/step.sh
