/** Name under which the device room registers the tfjs WebGPU backend. */
export const WEBGPU_BACKEND = 'webgpu';
