module github.com/gatehouse-go/gatehouse/internal/conformance

go 1.26.0

replace github.com/gatehouse-go/gatehouse => ../..

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/gatehouse-go/gatehouse v0.0.0-00010101000000-000000000000
	github.com/huaweicloud/huaweicloud-sdk-go-v3 v0.1.207
	github.com/jackc/pgx/v5 v5.12.0
	github.com/redis/go-redis/v9 v9.23.0
	golang.org/x/time v0.16.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/fatih/color v1.10.0 // indirect
	github.com/goccy/go-yaml v1.9.8 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/json-iterator/go v1.1.13-0.20220915233716-71ac16282d12 // indirect
	github.com/mattn/go-colorable v0.1.8 // indirect
	github.com/mattn/go-isatty v0.0.12 // indirect
	github.com/modern-go/concurrent v0.0.0-20180228061459-e0a39a4cb421 // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
	github.com/tjfoc/gmsm v1.4.1 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	go.mongodb.org/mongo-driver v1.13.1 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.41.0 // indirect
	golang.org/x/xerrors v0.0.0-20200804184101-5ec99f83aff1 // indirect
	gopkg.in/ini.v1 v1.67.0 // indirect
)

require (
	github.com/AgoraIO-Community/go-tokenbuilder v1.0.0
	github.com/gaissmai/bart v0.30.0
	github.com/gatehouse-go/gatehouse/storage/bolt v0.0.0-00010101000000-000000000000
	github.com/gatehouse-go/gatehouse/storage/postgres v0.0.0-00010101000000-000000000000
	github.com/gatehouse-go/gatehouse/storage/redis v0.0.0-00010101000000-000000000000
	github.com/tidwall/btree v1.8.2 // indirect
)

replace github.com/gatehouse-go/gatehouse/storage/bolt => ../../storage/bolt

replace github.com/gatehouse-go/gatehouse/storage/postgres => ../../storage/postgres

replace github.com/gatehouse-go/gatehouse/storage/redis => ../../storage/redis
