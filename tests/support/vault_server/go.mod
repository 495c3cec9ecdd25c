module denim.dev/tests/vault

go 1.20

require (
	github.com/hashicorp/vault v1.14.1
	github.com/hashicorp/vault/sdk v0.9.2
)
