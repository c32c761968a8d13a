module github.com/gatehouse-go/gatehouse/examples/cluster

go 1.26.0

replace (
	github.com/gatehouse-go/gatehouse => ../..
	github.com/gatehouse-go/gatehouse/examples/server => ../server
	github.com/gatehouse-go/gatehouse/storage/bolt => ../../storage/bolt
	github.com/gatehouse-go/gatehouse/storage/postgres => ../../storage/postgres
	github.com/gatehouse-go/gatehouse/storage/redis => ../../storage/redis
)

require (
	github.com/gatehouse-go/gatehouse v0.0.0-00010101000000-000000000000
	github.com/gatehouse-go/gatehouse/examples/server v0.0.0-00010101000000-000000000000
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/gatehouse-go/gatehouse/storage/bolt v0.0.0-00010101000000-000000000000 // indirect
	github.com/gatehouse-go/gatehouse/storage/postgres v0.0.0-00010101000000-000000000000 // indirect
	github.com/gatehouse-go/gatehouse/storage/redis v0.0.0-00010101000000-000000000000 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/redis/go-redis/v9 v9.23.0 // indirect
	github.com/tidwall/btree v1.8.2 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)
