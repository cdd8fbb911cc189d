echo nobody names me
