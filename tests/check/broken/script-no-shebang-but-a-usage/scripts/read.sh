echo read
