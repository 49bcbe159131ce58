//go:build tools

// Package tools pins Envoy Gateway, so that go.sum covers it.
package tools

import _ "github.com/envoyproxy/gateway/cmd/envoy-gateway"
