// Package v2 has, in place of upstream's kinds.go, what the provider needs of it.
//
// Upstream's is a switch over all kinds of Kubernetes, which registers each in the same way with a Go type of its own.
// The provider reads none of these types, and they are two thirds of its build and of its size: 62 packages, one of
// which takes 2.8 GB of memory to compile.
package v2

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// RegisterResource registers an object of any kind. Pulumi's types name the group of kinds that have none "core".
func RegisterResource(ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input,
	opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	if apiVersion == "v1" {
		apiVersion = "core/v1"
	}
	var object pulumi.CustomResourceState
	token := fmt.Sprintf("kubernetes:%s:%s", apiVersion, kind)
	if err := ctx.RegisterResource(token, name, props, &object, opts...); err != nil {
		return nil, err
	}
	return &object, nil
}
