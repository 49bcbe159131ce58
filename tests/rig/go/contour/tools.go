//go:build tools

// Package tools pins Contour, so that go.sum covers it.
package tools

import _ "github.com/projectcontour/contour/cmd/contour"
