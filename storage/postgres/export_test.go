package postgres

// DropAtEnd drops a schema at the test's end.
var DropAtEnd = drop
