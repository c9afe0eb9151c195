/**
 * What the product uses of `@tensorflow/tfjs`, which the browser build takes in its place: the core with its gradients and the
 * cpu backend. Layers, converters, data pipelines and WebGL would double the worker that everything waits for.
 */
// First, for what the others run reads its flags; the development server bundles each by itself.
import '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-backend-cpu';

export * from '@tensorflow/tfjs-core';
