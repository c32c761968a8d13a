package postgres

// DSN is the DSN of the server to test with.
var DSN = dsn

// DropAtEnd drops a schema at the test's end.
var DropAtEnd = drop
