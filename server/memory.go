package server

// fallbackMemory is the default of --memory where the machine does not tell.
const fallbackMemory = 2 << 30
