/** Where a dataset lies in the program's folder: among the others, or in the folder of a run that brought it along. */
export function datasetPlace(id: string): string {
  return id.startsWith('runs/') ? id : `datasets/${id}`;
}
