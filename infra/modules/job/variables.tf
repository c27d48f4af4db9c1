variable "name" {
  description = "The job's name."
  type        = string
  validation {
    condition     = length(var.name) <= 63
    error_message = "A job's name has 63 characters at most."
  }
}

variable "region" {
  description = "Where it runs."
  type        = string
}

variable "image" {
  description = "The image that holds its program, by digest."
  type        = string
}

variable "program" {
  description = "The path of the program in the image."
  type        = string
}

variable "service_account" {
  description = "The e-mail of the account that it runs as."
  type        = string
}

variable "environment" {
  description = "Its settings."
  type        = map(string)
}

variable "secrets" {
  description = "Its secret settings: the secret's id and version by the setting's name."
  type        = map(object({ secret = string, version = string }))
  default     = {}
}

variable "subnet" {
  description = "The network through which it reaches the database; none where that has a public address."
  type        = object({ network = string, subnetwork = string })
  default     = null
}

variable "cpu" {
  description = "Processors of a task."
  type        = string
}

variable "memory" {
  description = "Memory of a task, such as 512Mi."
  type        = string
}

variable "retries" {
  description = "How often a failed task is tried again."
  type        = number
  validation {
    condition     = var.retries >= 0 && var.retries <= 10
    error_message = "Cloud Run tries a task again 0 to 10 times."
  }
}

variable "timeout_seconds" {
  description = "The most seconds that one try of a task may take."
  type        = number
}

variable "deletion_protection" {
  description = "Whether it is kept from being deleted."
  type        = bool
}
