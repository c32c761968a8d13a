module github.com/gatehouse-go/gatehouse/internal/conformance

go 1.26.0

replace github.com/gatehouse-go/gatehouse => ../..

require github.com/gatehouse-go/gatehouse v0.0.0-00010101000000-000000000000

require (
	github.com/huaweicloud/huaweicloud-sdk-go-v3 v0.1.207 // indirect
	golang.org/x/time v0.16.0 // indirect
)

require (
	github.com/AgoraIO-Community/go-tokenbuilder v1.0.0 // indirect
	github.com/gaissmai/bart v0.30.0 // indirect
	github.com/tidwall/btree v1.8.2
)
